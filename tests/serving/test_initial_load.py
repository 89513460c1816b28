"""The first fill of a store, as a job."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import pytest

from pricematch.catalogue.features import ImageFeatures, Wanted
from pricematch.catalogue.job_records import Counts
from pricematch.errors import CatalogueError, ImageError
from pricematch.progress import silent
from pricematch.serving.startup import start
from pricematch.settings import Settings
from pricematch.store.sqlite.store import open_store
from tests.support.fakes import COLOURS
from tests.support.networks import export
from tests.support.served import Loaded, Told, coloured, served, settings_of, titles_and_hashes


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


def test_beside_bad_rows_bad_images_are_told(tmp_path: Path) -> None:
    """Images are decoded where that can be ended, and nothing is made: fault F3."""
    export(tmp_path / "models", "cae", "1")
    settings = settings_of(tmp_path, encoder="cae")
    (tmp_path / "images" / "p1.png").write_bytes(b"no image")
    with settings.catalogue.open("a") as file:
        file.write("..,p0.png,x\n")

    class Decodes(Loaded):
        wanted: ClassVar[list[Wanted]] = []

        def encode(self, images: Sequence[bytes], wanted: Wanted) -> list[ImageFeatures | ImageError]:
            self.wanted.append(wanted)
            return super().encode(images, wanted)

    with pytest.raises(CatalogueError) as refused:
        start(settings, Decodes(), silent)
    assert [problem.column for problem in refused.value.problems] == ["image", "posting_id"]
    assert Decodes.wanted == [Wanted()] * len(COLOURS)
    assert not settings.data.exists()


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


def several(folder: Path, second: str) -> Settings:
    """Over the tiny catalogue of colours, whose first posting has a second image and whose second one has `second`."""
    settings = coloured(folder, ["hash"])
    header, one, other, *rest = settings.catalogue.read_text().splitlines()
    lines = [f"{header},image_2", f"{one},p3.png", f"{other},{second}", *(f"{row}," for row in rest)]
    settings.catalogue.write_text("\n".join(lines))
    return settings


def test_all_images_of_a_catalogue_file_are_stored(tmp_path: Path) -> None:
    settings = several(tmp_path, "p4.png")
    with served(settings) as running:
        stored = running.store.postings.get("p0")
        assert stored is not None
        images = [running.store.images.read(name) for name in stored.posting.images]
        assert images == [(tmp_path / "images" / name).read_bytes() for name in ("p0.png", "p3.png")]


def test_a_bad_image_behind_the_first_refuses_the_file_or_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = several(tmp_path, "bad.png")
    (tmp_path / "images" / "bad.png").write_bytes(b"no image")
    with pytest.raises(CatalogueError) as refused:
        start(settings, Loaded(), silent)
    assert [(problem.row, problem.column) for problem in refused.value.problems] == [(3, "image_2")]
    with served(settings.model_copy(update={"skip_bad_images": True})) as running:
        stored = running.store.postings.get("p1")
        assert stored is not None
        assert len(stored.posting.images) == 1
    assert "row 3, column image_2: 'bad.png'" in caplog.text
