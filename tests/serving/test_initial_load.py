"""The first fill of a store, as a job."""

from contextlib import closing
from pathlib import Path

import pytest

from pricematch.catalogue.records import Counts
from pricematch.serving.startup import start
from pricematch.settings import Settings
from pricematch.store.sqlite.store import open_store
from tests.support.served import Loaded, Told, coloured, served, titles_and_hashes


@pytest.fixture
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Over four postings without images."""
    return titles_and_hashes(tmp_path_factory.mktemp("shop"))


def broken_off(settings: Settings) -> None:
    """Let a fill break off after it has begun."""

    def break_off(what: str, *_: object) -> None:
        if what == "Storing postings":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(settings, Loaded(), break_off)


def test_it_counts_what_became_of_the_rows(settings: Settings) -> None:
    with served(settings) as running:
        [job] = running.store.jobs.jobs()
        assert (job.kind, job.state, job.done, job.total, job.counts) == ("seed", "done", 4, 4, Counts(created=4))


def test_images_of_a_catalogue_file_are_stored_without_the_rest(tmp_path: Path) -> None:
    """What stands behind them stays in the folder: fault F10."""
    settings = coloured(tmp_path, ["hash"])
    image = tmp_path / "images" / "p0.png"
    whole = image.read_bytes()
    image.write_bytes(whole + b"<script>")
    with served(settings) as running:
        stored = running.store.postings.get("p0")
        assert stored is not None
        assert running.store.images.read(stored.posting.image or "") == whole


def test_after_the_initial_load_deletions_stay(settings: Settings) -> None:
    """Even if the load broke off before."""
    broken_off(settings)
    with served(settings, Told()) as running:
        jobs = running.store.jobs.jobs()
        assert [(job.state, job.counts) for job in jobs] == [("done", Counts(unchanged=4)), ("cancelled", Counts())]
        running.intake.remove("p0")
    with served(settings):
        pass
    with closing(open_store(settings.data)) as store:
        assert store.postings.count() == 3
