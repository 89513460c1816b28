"""API keys: what a line holds, what is no line, and how keys are found."""

import hashlib
from pathlib import Path

import pytest
from pydantic import SecretStr

from pricematch.api.keys import (
    KEY_PATTERN,
    SCOPES,
    ApiKey,
    KeyRing,
    add_to_file,
    check_exposure,
    is_loopback,
    keys_of,
    new_key,
    read_keys,
)
from pricematch.errors import SettingsError
from pricematch.settings import Settings


def test_a_new_key_is_found_by_itself_only() -> None:
    """Its line in the file does not contain it."""
    made = [new_key(f"shop-{number}", "read") for number in range(5)]
    ring = KeyRing([kept for _, kept in made])
    for key, kept in made:
        assert KEY_PATTERN.fullmatch(key)
        assert ring.find(key) is kept
        assert kept.digest == hashlib.sha256(key.encode()).digest()
        assert key not in kept.line()
        assert ring.find(key[:-1]) is None
        assert ring.find(key + "A") is None
    assert len({key for key, _ in made}) == 5


def test_lines_are_read_back_whatever_stands_between_and_behind_them() -> None:
    kept = [new_key(name, scope)[1] for name, scope in zip("abc", SCOPES, strict=True)]
    lines = [key.line() for key in kept]
    assert read_keys(f"# mine\n{lines[0]}  # the shop\n\n  {lines[1]},{lines[2]}\n", "x") == tuple(kept)
    assert read_keys("", "x") == read_keys("# none\n", "x") == ()


@pytest.mark.parametrize(
    "line",
    [
        "secret",
        "a read",
        "a read sha256:12",
        "a root sha256:" + "0" * 64,
        "a b read sha256:" + "0" * 64,
        "a read md5:" + "0" * 64,
    ],
)
def test_a_bad_line_is_named_by_number_and_never_quoted(line: str) -> None:
    good = new_key("a", "read")[1].line()
    with pytest.raises(SettingsError, match=r"^keys\.txt, entry 2: expected NAME SCOPE sha256:HEX") as refused:
        read_keys(f"{good}\n{line}", "keys.txt")
    assert line not in str(refused.value)


def test_a_key_that_is_there_twice_is_refused() -> None:
    line = new_key("a", "read")[1].line()
    with pytest.raises(SettingsError, match="twice"):
        read_keys(f"{line}\n{line.replace('read', 'admin')}", "x")


@pytest.mark.parametrize("name", ["", "a b", "ä", "a" * 41, "-a", "a,b", "a\nb"])
def test_a_name_that_a_line_could_not_hold_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="expected a name of 1 to 40"):
        new_key(name, "read")


def test_each_scope_covers_those_before_it() -> None:
    for place, scope in enumerate(SCOPES):
        key = ApiKey("a", scope, bytes(32))
        assert [key.covers(other) for other in SCOPES] == [True] * (place + 1) + [False] * (len(SCOPES) - place - 1)


def test_replacing_keys_never_opens_a_closed_service() -> None:
    (one, kept), (other, more) = new_key("a", "read"), new_key("b", "read")
    ring = KeyRing([kept])
    ring.replace([more])
    assert (ring.find(one), ring.find(other)) == (None, more)
    with pytest.raises(SettingsError, match="expected a key at least"):
        ring.replace([])
    assert ring.find(other) is more
    opened = KeyRing([])
    opened.replace([kept])
    assert not opened.required
    assert len(opened) == 0


def test_keys_are_compared_in_constant_time_with_every_one(monkeypatch: pytest.MonkeyPatch) -> None:
    key, kept = new_key("a", "read")
    compared: list[bytes] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return one == other

    monkeypatch.setattr("hmac.compare_digest", compare)
    ring = KeyRing([kept, *(new_key("b", "read")[1] for _ in range(9))])
    assert ring.find(key) is kept
    assert ring.find("\udc80 no key") is None
    assert len(compared) == 20


def test_keys_of_the_environment_and_of_the_file_are_known_together(tmp_path: Path) -> None:
    one, other, third = (new_key(name, "read")[1] for name in "abc")
    add_to_file(tmp_path / "keys", other)
    add_to_file(tmp_path / "keys", third)
    settings = Settings(api_keys=SecretStr(one.line()), api_keys_file=tmp_path / "keys")
    assert keys_of(settings) == (one, other, third)
    assert one.line() not in repr(settings)


def test_a_file_of_keys_is_its_owners_alone(tmp_path: Path) -> None:
    add_to_file(tmp_path / "keys", new_key("a", "read")[1])
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_none_of_keys_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("buy milk\n")
    with pytest.raises(SettingsError, match="entry 1"):
        add_to_file(tmp_path / "notes", new_key("a", "read")[1])
    assert (tmp_path / "notes").read_text() == "buy milk\n"
    with pytest.raises(SettingsError, match="cannot be written"):
        add_to_file(tmp_path / "absent" / "keys", new_key("a", "read")[1])


@pytest.mark.parametrize("content", [b"", b"# none\n", b"\xff\xfe", b"x" * 2_000_000])
def test_a_file_without_keys_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "keys").write_bytes(content)
    with pytest.raises(SettingsError, match="keys"):
        keys_of(Settings(api_keys_file=tmp_path / "keys"))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"{tmp_path / 'keys'} cannot be read"):
        keys_of(Settings(api_keys_file=tmp_path / "keys"))


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 — it is only named
        ("::", False),
        ("192.168.0.7", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_without_keys_only_this_machine_reaches_the_service(host: str, loopback: bool) -> None:
    """Unless a setting allows more."""
    assert is_loopback(host) is loopback
    settings, keys = Settings(host=host), (new_key("a", "read")[1],)
    if loopback:
        check_exposure(settings, ())
    else:
        with pytest.raises(SettingsError, match="pricematch key NAME"):
            check_exposure(settings, ())
    check_exposure(settings, keys)
    check_exposure(settings.model_copy(update={"no_auth": True}), ())
    with pytest.raises(SettingsError, match="got both"):
        check_exposure(settings.model_copy(update={"no_auth": True}), keys)


@pytest.mark.parametrize(
    ("given", "namespace", "line"),
    [
        ("read", "default", "read"),
        ("read@default", "default", "read"),
        ("read@a-1", "a-1", "read@a-1"),
        ("admin@*", "*", "admin@*"),
    ],
)
def test_a_line_says_which_namespace_a_key_is_for(given: str, namespace: str, line: str) -> None:
    """One without is for the default one, as every line was before there were others."""
    [key] = read_keys(f"shop {given} sha256:{'0' * 64}", "x")
    assert (key.namespace, key.line()) == (namespace, f"shop {line} sha256:{'0' * 64}")


@pytest.mark.parametrize(
    "scope", ["read@", "read@A", "read@a.b", "read @a", "read@**", "read@a@b", "@a", "read@" + "a" * 41]
)
def test_a_line_with_another_namespace_is_refused(scope: str) -> None:
    with pytest.raises(SettingsError, match="NAME SCOPE@NAMESPACE sha256:HEX, got something else"):
        read_keys(f"shop {scope} sha256:{'0' * 64}", "x")


def test_a_key_is_made_for_a_namespace() -> None:
    assert new_key("shop", "read", "a")[1].line().startswith("shop read@a sha256:")
    with pytest.raises(SettingsError, match="expected a namespace of"):
        new_key("shop", "read", "A")
