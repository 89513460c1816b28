"""Files of matches."""

from pathlib import Path

import numpy as np
import pytest

from pricematch.errors import SettingsError
from pricematch.formats.submission import write_submission
from pricematch.search.lists import Lists

LISTS = Lists(np.array([0, 2, 3, 6]), np.array([0, 2, 1, 2, 1, 0], np.int32))


def test_each_posting_has_a_line_with_its_matches_in_their_order(tmp_path: Path) -> None:
    write_submission(tmp_path / "submission.csv", ["a", "b", "c"], LISTS)
    assert (tmp_path / "submission.csv").read_bytes() == b"posting_id,matches\na,a c\nb,b\nc,c b a\n"


def test_a_file_that_is_there_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    (tmp_path / "submission.csv").write_text("something longer than what comes" * 9)
    write_submission(tmp_path / "submission.csv", ["a", "b", "c"], LISTS)
    assert (tmp_path / "submission.csv").read_bytes().startswith(b"posting_id,matches\na,a c\n")
    assert [path.name for path in tmp_path.iterdir()] == ["submission.csv"]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "submission.csv").mkdir()
    with pytest.raises(SettingsError, match=r"cannot write .*submission\.csv"):
        write_submission(tmp_path / "submission.csv", ["a", "b", "c"], LISTS)
