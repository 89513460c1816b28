"""Where keys come from, and when a service may be reached without any."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from pricematch.api.key_sources import add_to_file, check_exposure, is_loopback, keys_of
from pricematch.api.keys import new_key
from pricematch.errors import SettingsError
from pricematch.settings import Settings


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
def test_without_keys_only_this_machine_may_reach_the_service_unless_that_is_asked_for(
    host: str, loopback: bool
) -> None:
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
