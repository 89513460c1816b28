"""A service over its store: filled once, started again without work, followed, and switched to other models."""

import hashlib
import logging
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pricematch.catalogue.features import Wanted
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Put
from pricematch.encoding.stored_images import StoredImages
from pricematch.errors import ArtefactError, CatalogueError, SettingsError, StoreInUse
from pricematch.matching.queries import Options, Query
from pricematch.serving.intake import Offered
from pricematch.serving.models import activate
from pricematch.serving.startup import start
from pricematch.settings import Settings
from pricematch.store.sqlite.store import open_store
from tests.support.fakes import COLOURS, image_bytes, marked_bytes
from tests.support.matchers import export_matcher
from tests.support.networks import TinyArtefacts, export
from tests.support.served import Loaded, Told, coloured, matched, put, served, settings_of, titles_and_hashes
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings(tmp_path: Path, loaded: Loaded) -> Settings:
    """Over the tiny catalogue of colours, with one version of the CAE."""
    export(tmp_path / "models", "cae", "1")
    return settings_of(tmp_path, encoder="cae", follow_seconds=0.02)


def put_elsewhere(settings: Settings, posting_id: str, colour: str | None, title: str = "") -> None:
    """Put a posting as another process would."""
    with closing(open_store(settings.data)) as store:
        images = [] if colour is None else [image_bytes(colour)]
        names = [hashlib.sha256(image).hexdigest() for image in images]
        store.postings.put([Put(Posting(posting_id, None, title).with_images(names), images)])


def test_an_empty_store_is_filled_from_the_catalogue_file_once(settings: Settings, loaded: Loaded) -> None:
    with served(settings) as running:
        assert matched(running, "p0", limit=1) == ["p1"]
        assert len(running.snapshots.current.matcher.catalogue) == len(COLOURS)
    assert loaded.encoded["1"] >= len(COLOURS)
    settings.catalogue.unlink()
    with served(settings) as running:
        assert matched(running, "p0", limit=1) == ["p1"]


def test_a_second_start_encodes_and_scores_nothing(
    tmp_path: Path, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(tmp_path / "models", "cae", "1")
    settings = coloured(tmp_path, ["hash", "title"], encoder="cae")
    with served(settings) as running:
        before = running.snapshots.current.matcher.match_posting("p0", Options())
    loaded.encoded.clear()
    monkeypatch.setattr("pricematch.matching.index.first_scores", None)
    told = Told()
    with served(settings, told) as running:
        assert list(running.snapshots.current.matcher.match_posting("p0", Options()).matches) == list(before.matches)
    assert loaded.encoded == {}
    assert set(told.what) <= {"Loading models", "Comparing postings"}


def test_after_a_kill_new_postings_are_scored_at_the_start(tmp_path: Path) -> None:
    settings = titles_and_hashes(tmp_path)
    with served(settings):
        pass
    put_elsewhere(settings, "p9", None, "kopi susu")
    put_elsewhere(settings, "p1", None, "teh manis")
    with closing(open_store(settings.data)) as store:
        store.postings.delete("p3")
    with served(settings) as running:
        assert matched(running, "p0") == ["p9"]
        assert sorted(matched(running, "p2")) == ["p1"]
        title = Query(title="teh manis")
        assert [it.posting_id for it in running.snapshots.current.matcher.match(title, Options()).matches] == [
            "p1",
            "p2",
        ]


def test_after_many_changes_all_is_scored_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pricematch.serving.snapshot_builder.FEW", 0)
    settings, told = titles_and_hashes(tmp_path), Told()
    with served(settings):
        pass
    for row in range(5, 9):
        put_elsewhere(settings, f"p{row}", None, "kopi susu")
    with served(settings, told) as running:
        assert sorted(matched(running, "p0")) == ["p1", "p5", "p6", "p7", "p8"]
    assert "Scoring pairs" in told.what


def test_what_another_process_writes_is_served_soon(settings: Settings) -> None:
    with served(settings) as running:
        put_elsewhere(settings, "new", COLOURS[0])
        eventually(lambda: "new" in matched(running, "p0"))
        assert matched(running, "p0", limit=1) == ["new"]
        with closing(open_store(settings.data)) as store:
            store.postings.delete("new")
        eventually(lambda: "new" not in matched(running, "p0"))


def test_what_is_put_is_found_by_the_very_next_request(settings: Settings) -> None:
    with served(settings) as running:
        for row in range(20):
            intake = running.intake
            _, _, version = put(intake, Offered(Posting(f"q{row}", None), [image_bytes(COLOURS[0])]))
            assert running.snapshots.current.version >= version
            assert f"q{row}" in matched(running, "p0", limit=50)
            intake.remove(f"q{row}")
            assert f"q{row}" not in matched(running, "p0", limit=50)


def test_a_fill_that_broke_off_goes_on_at_the_next_start(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pricematch.serving.initial_load._AT_ONCE", 2)
    told: list[int] = []

    def break_off(what: str, done: int, total: int) -> None:
        told.append(done)
        if what == "Storing postings" and done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(settings, Loaded(), break_off)
    with closing(open_store(settings.data)) as store:
        assert len(store.postings.page("", 100)) == 4
    with served(settings) as running:
        assert len(running.snapshots.current.matcher.catalogue) == len(COLOURS)
    with closing(open_store(settings.data)) as store:
        assert [job.state for job in store.jobs.jobs() if job.kind == "seed"].count("done") == 1


def test_a_changed_catalogue_file_is_reported_not_loaded(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    with served(settings):
        pass
    with served(settings):
        assert "is not what" not in caplog.text
    settings.catalogue.write_text(settings.catalogue.read_text().replace("p6,", "p7,"))
    with served(settings) as running:
        assert "is not what" in caplog.text
        assert "POST /postings/import" in caplog.text
        ids = {posting.posting_id for posting in running.snapshots.current.matcher.catalogue}
        assert ids == {f"p{row}" for row in range(len(COLOURS))}


def test_a_mended_file_fills_the_store(settings: Settings) -> None:
    (settings.images / "p1.png").rename(settings.images / "elsewhere.png")
    with pytest.raises(CatalogueError, match="row 3"):
        start(settings, Loaded(), Told())
    (settings.images / "elsewhere.png").rename(settings.images / "p1.png")
    with served(settings) as running:
        assert matched(running, "p0", limit=1) == ["p1"]


def test_fault_36_a_second_service_on_the_store_is_refused(settings: Settings) -> None:
    with served(settings) as running:
        with pytest.raises(StoreInUse, match=str(settings.data)):
            start(settings, Loaded(), Told())
        assert matched(running, "p0", limit=1) == ["p1"]
    with served(settings) as running:
        assert matched(running, "p0", limit=1) == ["p1"]


def test_an_activated_version_serves_once_all_is_encoded(
    settings: Settings, loaded: Loaded, caplog: pytest.LogCaptureFixture
) -> None:
    """So does the earlier one after going back."""
    caplog.set_level(logging.INFO, "pricematch")
    with served(settings) as running:
        export(settings.models, "cae", "2")
        assert running.models == {"cae": "1"}
        assert activate(settings, "cae/2") is None
        eventually(lambda: running.models == {"cae": "2"})
        assert loaded.encoded["2"] >= len(COLOURS)
        assert matched(running, "p0", limit=1) == ["p1"]
        eventually(lambda: "now serving cae/2" in caplog.text)
        loaded.encoded.clear()
        assert activate(settings, "cae/1") == "2"
        eventually(lambda: running.models == {"cae": "1"})
        assert loaded.encoded == {}
        activate(settings, "cae/2")
        eventually(lambda: running.models == {"cae": "2"})
    with served(settings) as running:
        assert running.models == {"cae": "2"}


def test_the_old_version_serves_while_a_new_one_encodes(
    settings: Settings, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(settings.models, "cae", "2")
    go, waits = threading.Event(), threading.Event()
    ensure = StoredImages.ensure

    def held(self: StoredImages, digests: Any, wanted: Wanted, *rest: Any) -> Any:
        if any("weights of cae 2"[:16] in key for key in wanted.encoders) and not go.is_set():
            waits.set()
            assert go.wait(30)
        return ensure(self, digests, wanted, *rest)

    with closing(open_store(settings.data)) as store:
        store.models.activate("cae", "1")
    with served(settings) as running:
        monkeypatch.setattr(StoredImages, "ensure", held)
        activate(settings, "cae/2")
        assert waits.wait(30)
        put(running.intake, Offered(Posting("new", None), [image_bytes(COLOURS[0])]))
        assert matched(running, "p0", limit=1) == ["new"]
        assert running.models == {"cae": "1"}
        go.set()
        eventually(lambda: running.models == {"cae": "2"})
        assert matched(running, "p0", limit=1) == ["new"]


def test_a_version_that_does_not_load_is_reported_once(
    settings: Settings, loaded: Loaded, caplog: pytest.LogCaptureFixture
) -> None:
    """The version that serves goes on."""
    with served(settings) as running:
        export(settings.models, "cae", "2")
        loaded.fails["2"] = ArtefactError("cae/2: the graph does not run here")
        activate(settings, "cae/2")
        eventually(lambda: "the graph does not run here" in caplog.text)
        put_elsewhere(settings, "new", COLOURS[0])
        eventually(lambda: "new" in matched(running, "p0"))  # it has looked again
        assert caplog.text.count("the graph does not run here") == 1
        assert running.models == {"cae": "1"}


def test_a_version_in_settings_overrules_activation(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """And that is reported."""
    export(settings.models, "cae", "2")
    with served(settings.model_copy(update={"encoder_version": "1"})) as running:
        activate(settings, "cae/2")
        eventually(lambda: "cae/2 is active, but cae/1 serves" in caplog.text)
        assert running.models == {"cae": "1"}


def test_an_activated_matcher_scores_all(tmp_path: Path) -> None:
    settings = titles_and_hashes(tmp_path, follow_seconds=0.02)
    with served(settings) as running:
        assert matched(running, "p2") == ["p3"]
        export_matcher(settings.models, ["hash"], version="2")
        activate(settings, "matcher/2")
        eventually(lambda: running.models == {"matcher": "2"})
        assert matched(running, "p2") == []
        assert matched(running, "p0") == ["p1"]


def test_a_name_or_a_version_that_is_none_cannot_be_activated(settings: Settings) -> None:
    with served(settings) as running:
        for label in ("cae", "cae/x", "cae/../1", "resnet/1", "cae/²"):
            with pytest.raises(SettingsError, match="expected matcher or"):
                activate(settings, label)
        with pytest.raises(ArtefactError, match="expected a version"):
            activate(settings, "cae/9")
        assert running.models == {"cae": "1"}


def test_without_a_store_there_is_nothing_to_activate_for(tmp_path: Path) -> None:
    export(tmp_path / "models", "cae", "1")
    with pytest.raises(SettingsError, match="there is no store in"):
        activate(settings_of(tmp_path), "cae/1")
    assert not (tmp_path / "data").exists()


def test_after_many_changes_all_is_scored_in_the_background(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pricematch.serving.served_catalogue._REST", 0)
    settings = titles_and_hashes(tmp_path, follow_seconds=0.02)
    with served(settings) as running:
        put_elsewhere(settings, "p9", None, "kopi susu")
        eventually(lambda: "p9" in matched(running, "p0"))

        def together() -> bool:
            search = running.snapshots.current.matcher.probability
            return search is not None and search.index.changes == 0

        eventually(together)
        assert "p9" in matched(running, "p0")


def test_an_empty_catalogue_learns_the_first_words_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export_matcher(tmp_path / "models", ["title"])
    monkeypatch.chdir(tmp_path)
    with served(Settings()) as running:
        for row in range(30):
            put(running.intake, Offered(Posting(f"p{row:02}", None, f"barang nomor{row // 2}")))
            assert matched(running, f"p{row:02}") == ([] if row % 2 == 0 else [f"p{row - 1:02}"])


def test_a_damaged_image_is_reported_the_others_served(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    with served(settings):
        pass
    for path in (settings.data / "images").rglob("*"):
        if path.is_file() and path.read_bytes() == image_bytes(COLOURS[0]):
            path.write_bytes(b"no image")
    export(settings.models, "cae", "2")
    with served(settings) as running:
        assert "cannot be used" in caplog.text
        assert running.models == {"cae": "2"}
        assert matched(running, "p2", limit=1) == ["p3"]


def test_a_killed_service_leaves_a_store_that_the_next_one_opens(tmp_path: Path) -> None:
    settings = titles_and_hashes(tmp_path)
    code = """
import sys, time
from pathlib import Path
from pricematch.serving.startup import start
from pricematch.encoding.stored_images import StoredImages
from pricematch.settings import Settings
from tests.support.served import put
from tests.support.served import Loaded
folder = Path(sys.argv[1])
settings = Settings(catalogue=folder / "catalogue.csv", models=folder / "models", data=folder / "data")
running = start(settings, Loaded(), print)
print("serving", flush=True)
time.sleep(60)
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while "serving" not in process.stdout.readline():
            assert process.poll() is None
        process.kill()
    with served(settings) as running:
        assert matched(running, "p2") == ["p3"]


def test_exported_models_serve_and_the_service_itself_never_loads_tensorflow(
    tiny_artefacts: TinyArtefacts, tmp_path: Path
) -> None:
    script = """
import asyncio, sys
from pathlib import Path
from pricematch.matching.queries import Options
from pricematch.serving.service import Service
from pricematch.serving.opening import opened
from pricematch.settings import load_settings
catalogue, images, models, data = map(Path, sys.argv[1:])
settings = load_settings(catalogue=catalogue, images=images, models=models, data=data, precision="float32", workers=1)
async def main():
    service = Service(settings)
    async with opened(service, lambda *_: None) as opening:
        await opening
        found = (await service.match([(images / "p0.png").read_bytes()], "", Options(1))).result.matches
        print([match.posting_id for match in found], "tensorflow" in sys.modules, len(service.process_ids()))
asyncio.run(main())
"""
    images = tmp_path / "images"
    images.mkdir()
    for row, colour in enumerate(COLOURS):
        (images / f"p{row}.png").write_bytes(marked_bytes(colour))
    paths = (tiny_artefacts.csv_path, images, tiny_artefacts.models, tmp_path / "data")
    command = [sys.executable, "-c", script, *map(str, paths)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("['p0'] False 1\n", "")
