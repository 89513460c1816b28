"""Starts without a trained matcher: of a store that an earlier version wrote, and where models cannot be written."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import ANYHOW
from pricematch.encoding.default_encoder import ensure_default_encoder, write_pretrained
from pricematch.errors import RuntimeMissing, SettingsError
from pricematch.matching.queries import Options, Query
from pricematch.serving.intake import Offered
from pricematch.serving.startup import start
from pricematch.settings import Settings, load_settings
from pricematch.store.sqlite.store import DATABASE, open_store
from tests.support.catalogues import write_catalogue
from tests.support.fakes import tiny_catalogue
from tests.support.served import Loaded, Told, matched, put, served
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


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was warned of."""
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def titled(folder: Path, image: str | None = None) -> dict[str, Path]:
    """Paths of a catalogue of titles, its first posting with an image or none, and of models that cannot be written."""
    titles = ["kopi susu gula aren", "kopi susu gula aren 1 liter", "teh manis dingin"]
    rows = [Posting(f"p{row}", image if row == 0 else None, title) for row, title in enumerate(titles)]
    write_catalogue(folder / "catalogue.csv", rows)
    (folder / "models").write_text("a file")
    return {"catalogue": folder / "catalogue.csv", "models": folder / "models", "data": folder / "data"}


@pytest.mark.usefixtures("settings")
def test_titles_need_no_encoder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where it cannot be written a catalogue of titles is matched, and one warning says so at each start."""
    settings = load_settings(**titled(tmp_path), follow_seconds=3600)
    for _ in range(2):
        caplog.clear()
        with served(settings) as running:
            assert running.models == {"matcher": "default"}
            assert matched(running, "p0") == ["p1"]
            found = running.snapshots.current.matcher.match(Query(title="kopi susu gula aren"), Options())
            assert next(match.posting_id for match in found.matches) == "p0"
            put(running.intake, Offered(Posting("new", None, "teh manis dingin")))
            assert matched(running, "new") == ["p2"]
            running.intake.remove("new", ANYHOW)
        [warning] = warnings(caplog)
        assert "the default matcher goes without its encoder and compares by hash and title alone" in warning
        assert "once there are images, a start needs it" in warning
        assert "let the folder be written to" in warning


@pytest.mark.usefixtures("settings")
def test_images_need_the_encoder(tmp_path: Path) -> None:
    """Where it cannot be written a catalogue with one image is refused, and so is one of titles if it was named."""
    given = titled(tmp_path, "p0.png")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "p0.png").write_bytes(image_bytes(0))
    with pytest.raises(SettingsError, match="let the folder be written to"):
        start(load_settings(**given, images=tmp_path / "images"), Loaded(), Told())
    assert not (tmp_path / "data").exists()
    (tmp_path / "models").unlink()
    with pytest.raises(SettingsError, match="let the folder be written to"):
        start(load_settings(**titled(tmp_path), encoder="cnn"), Loaded(), Told())


def link_earlier(models: Path, earlier: Path) -> None:
    """Let a folder of models hold `cae` and `autoencoder` of another one."""
    models.mkdir()
    for name in ("cae", "autoencoder"):
        (models / name).symlink_to(earlier / name)


def test_another_encoder_serves_where_the_default_cannot(
    settings: Settings, earlier_models: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It answers with similarities; without one that is named the start fails, and says what to install."""
    link_earlier(settings.models, earlier_models)
    version = write_pretrained(settings.models, "7", None).name
    tiny_catalogue(tmp_path)
    encoding = Loaded()
    encoding.fails[version] = RuntimeMissing("cnn/7 does not load; TensorFlow may run it")
    given = {"catalogue": tmp_path / "catalogue.csv", "images": tmp_path / "images", "models": settings.models}
    with pytest.raises(RuntimeMissing, match="TensorFlow may run it"):
        start(load_settings(**given, data=tmp_path / "other"), encoding, Told())
    named = load_settings(**given, data=tmp_path / "data", encoder="autoencoder", follow_seconds=3600)
    with served(named, encoding=encoding) as running:
        matcher = running.snapshots.current.matcher
        assert (list(matcher.encoders), matcher.models) == (["autoencoder"], {"matcher": "default"})
        assert matcher.match_posting("p0", Options(min_probability=0, min_similarity=-1.0)).matches
    [warning] = [text for text in warnings(caplog) if "goes without" in text]
    assert "needs it" not in warning
    assert warning.endswith("by hash and title alone: cnn/7 does not load; TensorFlow may run it")


@pytest.mark.parametrize("encoder", ["cnn", "autoencoder"])
def test_a_running_service_keeps_its_encoder(
    tmp_path: Path, settings: Settings, earlier_models: Path, encoder: str
) -> None:
    """A version that cannot run here may be activated, but the default matcher goes on with the one it has."""
    tiny_catalogue(tmp_path)
    link_earlier(settings.models, earlier_models)
    paths = {"catalogue": tmp_path / "catalogue.csv", "images": tmp_path / "images", "data": settings.data}
    given = {**paths, "models": settings.models, "encoder": encoder, "follow_seconds": 3600}
    encoding = Loaded()
    encoding.fails["8"] = RuntimeMissing("cnn/8 does not load; TensorFlow may run it")
    for version in ("7", "8"):
        write_pretrained(settings.models, version, None)
    (settings.models / "cnn" / "8").rename(tmp_path / "8")
    with served(load_settings(**given), encoding=encoding) as running:
        (tmp_path / "8").rename(settings.models / "cnn" / "8")
        running.store.models.activate("cnn", "8")
        with pytest.raises(RuntimeMissing, match="cnn/8"):
            running.tick()
        assert running.models["cnn"] == "7"


def test_models_that_are_there_are_not_written_to(settings: Settings) -> None:
    """So a folder that is mounted read-only will do."""
    ensure_default_encoder(settings.models)
    before = {path: path.stat().st_mtime_ns for path in sorted(settings.models.rglob("*"))}
    with served(settings) as running:
        assert running.models == {"matcher": "default", "cnn": "1"}
    assert {path: path.stat().st_mtime_ns for path in sorted(settings.models.rglob("*"))} == before
