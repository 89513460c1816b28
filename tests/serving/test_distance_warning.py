"""A service warns where its trained matcher is not at home."""

import logging
from dataclasses import replace

import pytest

from pricematch.pairs.home import Shrunk
from pricematch.serving.snapshot_builder import _warn_of_distance
from tests.support.matchers import hashed, scored_search


def test_the_log_tells_the_distance_only_where_it_is_far(caplog: pytest.LogCaptureFixture) -> None:
    search = scored_search(hashed(1, 2), ["hash"])
    with caplog.at_level(logging.WARNING, "pricematch"):
        _warn_of_distance(search)
        assert not caplog.text
        shrunk = Shrunk(search.index.model, search.thresholds, 0.42, 0.75)
        _warn_of_distance(replace(search, shrunk=shrunk))
    assert "matcher/1 is not at home in this catalogue (distance 0.42)" in caplog.text
    assert "shrunk by 75 %" in caplog.text
