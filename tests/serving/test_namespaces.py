"""Several catalogues in one process: which there are, what each is served with, and how they are opened and made."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pricematch.encoding.blocking import EncodersInUse
from pricematch.errors import NamespaceNotFound, NamespacesFull, NotReady, SettingsError, StoreDamaged
from pricematch.progress import silent
from pricematch.serving import startup
from pricematch.serving.models import activate
from pricematch.serving.namespaces import Namespaces
from pricematch.serving.service import Service
from pricematch.serving.shared import Turns
from pricematch.serving.startup import start
from pricematch.serving.tenant_settings import served_settings, stored_namespaces
from pricematch.settings import Settings, load_settings
from pricematch.store.sqlite.store import DATABASE, open_store
from tests.support.matchers import export_matcher
from tests.support.namespaces import make_namespaces
from tests.support.served import Loaded, titles_and_hashes


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of a service with two namespaces beside the default one, whose starts need no processes."""

    def quick(given: Settings, _: object, *rest: Any, **options: Any) -> Any:
        return start(given, Loaded(), *rest, **options)

    monkeypatch.setattr(startup, "start", quick)
    found = titles_and_hashes(tmp_path, follow_seconds=3600, precision="float32")
    make_namespaces(found, "shop-a", "shop-b")
    return found


def opened(namespaces: Namespaces, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Do something while namespaces are served, once all have been opened or failed."""

    async def run() -> None:
        async with namespaces.opened(silent) as opening:
            await opening
            while namespaces.why_not_ready() is not None:
                await asyncio.sleep(0.001)
            await work()

    asyncio.run(run())


def damage(settings: Settings, name: str) -> None:
    """Let the database of a namespace be none."""
    path = settings.in_namespace(name).data / DATABASE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"no database" * 1000)


def test_namespaces_are_the_folders_that_have_such_a_name(tmp_path: Path) -> None:
    """A folder that was moved aside by another name, or a file, is none."""
    assert stored_namespaces(tmp_path) == ["default"]
    for name in ("b", "a-1", "0_", "A", "a.removed", "-a", "default", "ä", "a" * 40, "a" * 41):
        (tmp_path / "namespaces" / name).mkdir(parents=True)
    (tmp_path / "namespaces" / "file").touch()
    assert stored_namespaces(tmp_path) == ["default", "0_", "a-1", "a" * 40, "b"]


@pytest.mark.parametrize("name", ["", "A", "a b", "../a", "a/b", ".", "-a", "a" * 41, "a\n", "ä"])
def test_a_name_that_none_may_have_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="expected a namespace of 1 to 40"):
        load_settings(namespace=name)
    with pytest.raises(SettingsError, match="expected a namespace of 1 to 40"):
        Settings().in_namespace(name)


def test_a_namespace_has_folders_of_its_own(tmp_path: Path) -> None:
    found = load_settings(data=tmp_path, namespace="shop-a")
    assert (found.data, found.models) == (
        tmp_path / "namespaces" / "shop-a",
        tmp_path / "namespaces" / "shop-a" / "models",
    )
    whole = load_settings(data=tmp_path)
    assert whole == load_settings(data=tmp_path, namespace="default") == whole.in_namespace("default")
    with pytest.raises(SettingsError, match="expected --models or --namespace, got both"):
        load_settings(models=tmp_path, namespace="shop-a")


def test_what_names_files_and_models_of_the_default_one_holds_there_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the environment names them; an encoder holds where the namespace has it."""
    monkeypatch.setenv("PRICEMATCH_CATALOGUE", str(tmp_path / "theirs.csv"))
    monkeypatch.setenv("PRICEMATCH_MATCHER", "3")
    given = {"encoder": "cae", "encoder_version": "7", "encoders": "cnn", "import_folder": tmp_path, "max_pixels": 99}
    settings = load_settings(data=tmp_path, **given)
    found = served_settings(settings, "shop-a")
    assert (
        not {"catalogue", "images", "encoder", "encoder_version", "matcher", "import_folder"} & found.model_fields_set
    )
    own = (found.catalogue.parent.parent, found.matcher, found.encoder, found.encoder_version, found.encoders)
    assert own == (found.data, "auto", "cnn", None, ())
    assert (found.import_folder, found.max_pixels) == (None, 99)
    assert served_settings(settings, "default") is settings
    (found.models / "cae" / "1").mkdir(parents=True)
    (found.models / "cae" / "1" / "manifest.json").touch()
    assert served_settings(settings, "shop-a").encoder == "cae"
    plain = load_settings(data=tmp_path, matcher="none")
    assert served_settings(plain, "shop-a").matcher == "none"


def test_each_is_opened_over_its_own_store(settings: Settings) -> None:
    """The catalogue file fills the default one alone."""
    namespaces = Namespaces(settings)
    assert {it.name: it.reason for it in namespaces.states()}["shop-a"] == "the service is starting"

    async def work() -> None:
        assert [(it.name, it.postings, it.ready) for it in namespaces.states()] == [
            ("default", 4, True),
            ("shop-a", 0, True),
            ("shop-b", 0, True),
        ]
        assert namespaces.unready() == {}
        with pytest.raises(NamespaceNotFound):
            namespaces.get("nowhere")

    opened(namespaces, work)
    assert namespaces.why_not_ready() == "the service is stopping"


def test_a_damaged_store_keeps_no_other_from_being_served(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """It is told without a folder why it does not answer; once it is mended it can be opened without a restart."""
    damage(settings, "shop-a")
    namespaces = Namespaces(settings)

    async def work() -> None:
        assert namespaces.get("shop-b").why_not_ready() is None
        assert namespaces.unready() == {"shop-a": "the namespace shop-a cannot answer: its store is damaged"}
        with pytest.raises(NotReady, match="its store is damaged"):
            namespaces.get("shop-a").check_ready()
        with pytest.raises(NotReady, match="its store is damaged"):
            await namespaces.make("shop-a")
        (settings.in_namespace("shop-a").data / DATABASE).unlink()
        state, is_new = await namespaces.make("shop-a")
        assert (state.ready, is_new) == (True, False)

    opened(namespaces, work)
    assert "the namespace shop-a is not served" in caplog.text
    assert str(settings.data) in caplog.text


def test_no_other_is_opened_where_the_default_one_cannot_be(settings: Settings) -> None:
    damage(settings, "default")
    namespaces = Namespaces(settings)

    async def run() -> None:
        async with namespaces.opened(silent) as opening:
            with pytest.raises(StoreDamaged):
                await opening
            await asyncio.sleep(0)
            assert namespaces.get("shop-a").starting

    asyncio.run(run())


def test_one_that_is_made_twice_at_once_is_made_once(settings: Settings) -> None:
    """It answers at once, and the next start finds it; beyond as many as may be none is made."""
    few = settings.model_copy(update={"max_namespaces": 4})
    namespaces = Namespaces(few)

    async def work() -> None:
        made = await asyncio.gather(*(namespaces.make("new") for _ in range(3)))
        assert [is_new for _, is_new in made] == [True, False, False]
        assert namespaces.get("new").snapshot.version == made[0][0].catalogue_version
        with pytest.raises(NamespacesFull):
            await namespaces.make("another")
        assert not settings.in_namespace("another").data.exists()
        assert await namespaces.make("default") == (namespaces.states()[0], False)

    opened(namespaces, work)
    assert settings.in_namespace("new").data.stat().st_mode & 0o077 == 0
    assert [it.namespace for it in Namespaces(few)] == ["default", "new", "shop-a", "shop-b"]
    with closing(open_store(settings.in_namespace("new").data, serve=True)):
        pass  # nobody holds it


def test_none_is_made_before_all_are_open_or_in_a_service_that_stands_alone(settings: Settings) -> None:
    async def run() -> None:
        for namespaces in (Namespaces(settings), Namespaces.of(Service(settings))):
            with pytest.raises(NotReady):
                await namespaces.make("new")
        assert not settings.in_namespace("new").data.exists()

    asyncio.run(run())


def test_limits_hold_for_all_together(settings: Settings) -> None:
    """Threads and places are shared, what is kept for requests is each one's own, and together as much as may be."""
    namespaces = Namespaces(settings)
    assert len({id(it.shared) for it in namespaces}) == 1
    for name, most in (("features", settings.max_cached_feature_bytes), ("results", settings.max_cached_result_bytes)):
        caches = [service.caches[name] for service in namespaces]
        assert len({id(it) for it in caches}) == 3
        assert sum(it.most for it in caches) <= most < sum(it.most for it in caches) + 3


def test_a_smaller_share_forgets_what_was_used_least() -> None:
    service = Service(Settings(max_cached_thumbnail_bytes=90))
    kept = service.caches["thumbnails"]
    for number in range(3):
        kept.put(number, b"", 30)
    service.share_memory(2)
    assert (len(kept), kept.size, kept.get(2)) == (1, 30, b"")
    service.close()


def test_what_one_forgets_another_goes_on_using() -> None:
    used, one, other = EncodersInUse(), object(), object()
    used.add(one, ["a", "b"])
    used.add(other, ["b", "c"])
    assert used.retain(one, ["a"]) == {"a", "b", "c"}
    assert used.retain(other, []) == {"a"}
    assert [*map(set, (used.of(one), used.of(other), used.of(object())))] == [{"a"}, set(), set()]


def test_a_matcher_of_one_serves_in_it_alone(settings: Settings) -> None:
    export_matcher(settings.in_namespace("shop-b").models, ["title"], version="9")
    namespaces = Namespaces(settings)

    async def work() -> None:
        found = {it.namespace: [one["version"] for one in it.manifests()] for it in namespaces}
        assert found == {"default": ["1"], "shop-a": ["1"], "shop-b": ["9"]}

    opened(namespaces, work)


def test_a_catalogue_is_scored_anew_in_its_turn(tmp_path: Path) -> None:
    """So that of several one is at a time."""
    entered = list[str]()

    class Turn:
        def __enter__(self) -> None:
            entered.append("in")

        def __exit__(self, *_: object) -> None:
            entered.append("out")

    settings = titles_and_hashes(tmp_path, follow_seconds=3600)
    with closing(start(settings, Loaded(), silent, turns=Turns(scoring=Turn()))) as running:  # type: ignore[arg-type]
        running.tick()
        assert entered == []
        export_matcher(settings.models, ["title"], version="2")
        activate(settings, "matcher/2")
        running.tick()
        assert (entered, running.models["matcher"]) == (["in", "out"], "2")
