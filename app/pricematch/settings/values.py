"""What values of settings may be."""

import re
from base64 import b64decode
from ipaddress import ip_network
from typing import Annotated, Any, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

from pricematch.errors import SettingsError

KIB, MIB = 1024, 1024 * 1024
SECRET_PREFIX = "whsec_"  # noqa: S105 — says what kind of secret follows
"""Prefix of what signs webhooks, as Standard Webhooks has it."""
EncoderName: TypeAlias = Literal["autoencoder", "cae", "cnn"]
ENCODERS: tuple[EncoderName, ...] = get_args(EncoderName)
_UnicodeEncoding: TypeAlias = Literal["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
_WesternEncoding: TypeAlias = Literal["cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1257", "latin-1"]
_OtherEncoding: TypeAlias = Literal["cp1255", "cp1256", "cp1258", "cp874", "big5", "euc_kr", "gb18030", "shift_jis"]
CsvEncoding: TypeAlias = Literal["auto", _UnicodeEncoding, _WesternEncoding, _OtherEncoding]
CsvDelimiter: TypeAlias = Literal["auto", "comma", "semicolon", "tab", "pipe"]
DEFAULT_NAMESPACE = "default"
"""The namespace of whoever names none; its store is the data folder itself."""
NAMESPACE_PATTERN = r"[a-z0-9][a-z0-9_-]{0,39}"
NAMESPACE_RULE = "1 to 40 lower-case letters, digits, - or _, the first a letter or digit"
_NAMESPACE = re.compile(NAMESPACE_PATTERN)
_WEBHOOK_OF = re.compile(rf"({NAMESPACE_PATTERN})=(.*)", re.DOTALL)
"""No URL looks like this: its colon comes before any equals sign."""


def is_namespace(name: str) -> bool:
    """Whether this is a name that a namespace may have."""
    return _NAMESPACE.fullmatch(name) is not None


def check_namespace(name: str) -> None:
    """Raise SettingsError for a name that no namespace may have."""
    if not is_namespace(name):
        raise SettingsError(f"expected a namespace of {NAMESPACE_RULE}, got {name!r}")


def names(value: Any) -> Any:
    """Names with commas between them, each once."""
    if not isinstance(value, str):
        return value
    return tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))


def _proxy(value: str) -> str:
    """An address or a network; raises ValueError."""
    ip_network(value)
    return value


def without_end(value: Any) -> Any:
    """A path without the slash at its end."""
    return value.rstrip("/") if isinstance(value, str) else value


def webhook_of(value: str) -> tuple[str, str]:
    """The namespace and the URL of an entry `NAME=URL`, or of a URL alone."""
    found = _WEBHOOK_OF.fullmatch(value)
    return (DEFAULT_NAMESPACE, value) if found is None else (found[1], found[2])


def _webhook(value: str) -> str:
    """A URL that can be posted to, perhaps behind a namespace; raises ValueError."""
    url = urlsplit(webhook_of(value)[1])
    if url.scheme not in {"http", "https"} or not url.hostname or url.username is not None or url.fragment:
        raise ValueError(
            "expected http:// or https://, a host and a path, without a user or a fragment, and before it perhaps a "
            "namespace and ="
        )
    return value


def secret(value: SecretStr) -> SecretStr:
    """A secret in the form of Standard Webhooks, or none; raises ValueError."""
    text = value.get_secret_value()
    try:
        size = len(b64decode(text.removeprefix(SECRET_PREFIX), validate=True))
    except ValueError:
        size = 0
    if text and not (text.startswith(SECRET_PREFIX) and 24 <= size <= 64):
        raise ValueError(f"expected {SECRET_PREFIX} and Base64 of 24 to 64 bytes")
    return value


Webhook: TypeAlias = Annotated[str, AfterValidator(_webhook)]
Proxy: TypeAlias = Annotated[str, AfterValidator(_proxy)]
