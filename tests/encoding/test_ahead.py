"""Pictures that were embedded ahead are not embedded again, and nobody gets another's."""

import numpy as np
import pytest

from pricematch.encoding.ahead import embedded_ahead, found_ahead
from pricematch.encoding.ports import Embedded
from pricematch.errors import ImageCorrupt
from pricematch.search.stages import measured
from tests.support.fakes import mean_colours, picture, tiny_encoder

RED, BLUE = picture("#ff0000"), picture("#0000ff")


def found(*errors: ImageCorrupt | None) -> Embedded:
    """An embedding of ones for each good picture; they took two seconds."""
    return Embedded(np.ones((errors.count(None), 4), np.float32), errors, 2.0)


def test_what_was_embedded_ahead_is_given_and_its_time_counted() -> None:
    encoder = tiny_encoder()
    with embedded_ahead([RED], {encoder.key: found(None)}), measured() as stages:
        np.testing.assert_array_equal(encoder.encode(RED), np.ones((1, 4)))
    assert mean_colours(encoder).batches == []
    assert stages.seconds == {"decode": 2.0}


def test_a_picture_that_was_found_to_be_bad_is_bad() -> None:
    with embedded_ahead([RED], {"mean-colour": found(ImageCorrupt("broken"))}), pytest.raises(ImageCorrupt):
        tiny_encoder().encode(RED)


@pytest.mark.parametrize("images", [[BLUE], [RED, BLUE], [], [bytes(bytearray(RED))]])
def test_other_pictures_are_embedded(images: list[bytes]) -> None:
    with embedded_ahead([RED], {"mean-colour": found(None)}):
        assert found_ahead("mean-colour", images) is None
        embeddings, _ = tiny_encoder().embed(images)
    np.testing.assert_array_equal(embeddings, tiny_encoder().embed(images)[0])


def test_what_another_encoder_found_and_what_was_found_before_counts_for_nothing() -> None:
    with embedded_ahead([RED], {"other": found(None)}):
        assert found_ahead("mean-colour", [RED]) is None
        assert found_ahead("other", [RED]) is not None
    assert found_ahead("other", [RED]) is None
