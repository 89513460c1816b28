"""Which versions of models are to serve, in SQLite."""

from contextlib import closing
from pathlib import Path

from pricematch.store.sqlite.store import open_store


def test_the_version_chosen_last_is_active_and_another_process_sees_it(tmp_path: Path) -> None:
    with closing(open_store(tmp_path, serve=True)) as served, closing(open_store(tmp_path)) as other:
        assert served.models.active() == {}
        other.models.activate("cae", "2")
        other.models.activate("matcher", "1")
        other.models.activate("cae", "1")
        assert served.models.active() == {"cae": "1", "matcher": "1"}
