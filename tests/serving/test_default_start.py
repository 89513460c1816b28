"""Starts without a trained matcher: of a store that an earlier version wrote, and where models cannot be written."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pricematch.encoding.default_encoder import ensure_default_encoder
from pricematch.errors import SettingsError
from pricematch.serving.startup import start
from pricematch.settings import Settings, load_settings
from pricematch.store.sqlite.store import DATABASE, open_store
from tests.support.served import Loaded, Told, matched, served
from tests.support.stores import image_bytes, name_of

WRITTEN_BY_2 = Path(__file__).parents[1] / "store" / "sqlite" / "store_2.sql"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of a folder without a catalogue file, that follows nothing by itself."""
    monkeypatch.chdir(tmp_path)
    paths = {"models": tmp_path / "models", "data": tmp_path / "data"}
    return load_settings(**paths, follow_seconds=3600, precision="float32")


def write_earlier_store(data: Path) -> None:
    """The store as schema 2 kept it: five postings of like titles, four with images, one verdict, cae/3 active."""
    data.mkdir()
    with closing(sqlite3.connect(data / DATABASE)) as connection:
        connection.executescript(WRITTEN_BY_2.read_text(encoding="utf-8"))
        connection.executescript(f"PRAGMA application_id = {0x50724D63}; PRAGMA user_version = 2")
    for number in range(3):
        name = name_of(image_bytes(number))
        path = data / "images" / name[:2] / name[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image_bytes(number))


def test_a_store_of_an_earlier_version_is_answered_by_the_default_matcher(settings: Settings) -> None:
    """Its verdict holds and teaches; that another encoder was activated, which is there no more, is no matter."""
    write_earlier_store(settings.data)
    for _ in range(2):
        with served(settings) as running:
            assert running.models == {"matcher": "default", "cnn": "1"}
            assert matched(running, "000")[0] == "001"  # by the verdict
            assert set(matched(running, "004", min_probability=0)) >= {"000", "003"}
            [manifest, encoder] = running.manifests()
            assert (manifest["version"], manifest["verdicts"], encoder["name"]) == ("default", 1, "cnn")
    with closing(open_store(settings.data)) as store:
        assert store.models.active() == {"cae": "3"}


def test_models_that_cannot_be_written_are_named(settings: Settings, tmp_path: Path) -> None:
    """In one sentence, before the store is opened, where the encoder is not there yet."""
    (tmp_path / "models").write_text("a file")
    with pytest.raises(SettingsError, match="models") as caught:
        start(settings, Loaded(), Told())
    assert "\n" not in str(caught.value)


def test_models_that_are_there_are_not_written_to(settings: Settings) -> None:
    """So a folder that is mounted read-only will do."""
    ensure_default_encoder(settings.models)
    before = {path: path.stat().st_mtime_ns for path in sorted(settings.models.rglob("*"))}
    with served(settings) as running:
        assert running.models == {"matcher": "default", "cnn": "1"}
    assert {path: path.stat().st_mtime_ns for path in sorted(settings.models.rglob("*"))} == before
