"""A catalogue is taught by few label groups, and evaluated on those that are held out."""

import numpy as np
import pytest
from few_labels import Ends, Half, half, measure, paired

from pricematch.formats.default_matcher import read_default
from pricematch.learning.rungs import Prior
from tests.support.matchers import drawn_training_data


@pytest.fixture(scope="module")
def known() -> Half:
    data = drawn_training_data(160)
    return half(data.postings, data.groups, ("hash", "title"), 0)


def test_half_of_the_groups_are_held_out(known: Half) -> None:
    held_out = set(known.groups[known.evaluated].tolist())
    assert held_out.isdisjoint(known.order.tolist())
    assert abs(len(held_out) - len(known.order)) <= 1


@pytest.mark.slow
def test_the_curve_ends_with_all_groups_and_never_lies_far_below_its_start(
    known: Half, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = measure("drawn", known, (2, 10, 500))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == ["10", str(len(known.order))]
    assert float(lines[-1].rpartition(" ")[2]) >= -0.02
    assert lines[-2].endswith(f"written: {ends.answer:.3f}")
    assert ends.signal == known.best_signal()


def test_splits_are_compared_in_pairs() -> None:
    """What differs between splits alone is no error of the gain."""
    assert paired([Ends(0.5, 0.6, 0.7), Ends(0.3, 0.2, 0.5)]) == (
        "less the best single signal +0.200 ± 0.000, less the default +0.200 ± 0.100 (2 splits)"
    )
    assert paired([Ends(0.5, 0.6, 0.7)]) == "less the best single signal +0.200, less the default +0.100 (1 splits)"


@pytest.mark.slow
def test_what_is_taught_is_that_of_the_first_groups(known: Half) -> None:
    default = read_default()
    one, other = (known.taught(8, Prior(default.model, default.size_thresholds)) for _ in range(2))
    assert one == other
    assert 0 < one[0] <= 1
    assert np.isfinite(known.best_signal())
