"""Where the keys come from: a file, the environment, or nowhere."""

import os
from ipaddress import ip_address
from pathlib import Path

from pricematch.api.keys import ApiKey, read_keys
from pricematch.errors import SettingsError
from pricematch.settings import Settings

_MAX_FILE_BYTES = 1024 * 1024


def keys_of(settings: Settings) -> tuple[ApiKey, ...]:
    """The keys of the file and of the environment.

    Raises:
        SettingsError: the file cannot be read or holds none, or a line is no key.
    """
    keys = read_keys(settings.api_keys.get_secret_value(), "api_keys")
    if settings.api_keys_file is not None:
        keys += _from_file(settings.api_keys_file)
    return keys


def check_exposure(settings: Settings, keys: tuple[ApiKey, ...]) -> None:
    """Refuse to be reached from other machines by everybody, unless that was asked for.

    Raises:
        SettingsError: says what to do.
    """
    if keys and settings.no_auth:
        raise SettingsError("expected keys or --no-auth, got both")
    if keys or settings.no_auth or is_loopback(settings.host):
        return
    raise SettingsError(
        f"without keys anybody who reaches {settings.host} could read and change everything: make a key with "
        "`pricematch key NAME --scope read` and give its line in --api-keys-file or PRICEMATCH_API_KEYS, or say "
        "--no-auth if something else keeps others out, or listen on 127.0.0.1"
    )


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only; names but `localhost` are not resolved."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _from_file(path: Path) -> tuple[ApiKey, ...]:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"api_keys_file: {path} cannot be read ({error.strerror})") from error
    if len(content) > _MAX_FILE_BYTES:
        raise SettingsError(f"api_keys_file: {path} has more than {_MAX_FILE_BYTES} bytes")
    keys = read_keys(content.decode("utf-8", "replace"), str(path))
    if not keys:
        raise SettingsError(f"api_keys_file: {path} holds no key; `pricematch key` makes a line for it")
    return keys


def add_to_file(path: Path, key: ApiKey) -> None:
    """Add a key to a file of keys, which only its owner may read if it is new.

    Raises:
        SettingsError: it cannot be written, or holds something else.
    """
    try:
        if path.exists():
            read_keys(path.read_text(encoding="utf-8"), str(path))
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(f"{key.line()}\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be written as a file of keys ({error})") from error
