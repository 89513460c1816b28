"""API keys: made here, stored as digests in a file or the environment, compared in constant time."""

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from pricematch.errors import Forbidden, SettingsError
from pricematch.settings import DEFAULT_NAMESPACE, NAMESPACE_PATTERN, Settings, check_namespace

Scope: TypeAlias = Literal["read", "write", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""Each covers those before it."""
PREFIX = "pm_"
"""Prefix of every key, so that secret scanners and people recognise one."""
KEY_PATTERN = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")
"""32 random bytes in URL-safe Base64."""
_NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
EVERY_NAMESPACE = "*"
"""In place of a namespace: the key is for all of them."""
_LINE = re.compile(
    rf"({_NAME_PATTERN.pattern})\s+({'|'.join(SCOPES)})(?:@({NAMESPACE_PATTERN}|\*))?\s+sha256:([0-9a-f]{{64}})"
)
_RANDOM_BYTES = 32
_MAX_FILE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class ApiKey:
    """A key as it is kept.

    Attributes:
        name: whose it is, for logs and metrics; two keys of one name share its rate.
        scope: what it may do.
        digest: SHA-256 of the key. A key is 256 random bits: they cannot be tried out, so the slow hash that passwords
            need would only make every request slower.
        namespace: the one whose catalogue it is for; `*` for all of them.
    """

    name: str
    scope: Scope
    digest: bytes
    namespace: str = DEFAULT_NAMESPACE

    def covers(self, scope: Scope) -> bool:
        """Whether the key may do what needs this scope."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)

    def line(self) -> str:
        """Its line in a file of keys or PRICEMATCH_API_KEYS."""
        where = "" if self.namespace == DEFAULT_NAMESPACE else f"@{self.namespace}"
        return f"{self.name} {self.scope}{where} sha256:{self.digest.hex()}"


def new_key(name: str, scope: Scope, namespace: str = DEFAULT_NAMESPACE) -> tuple[str, ApiKey]:
    """A new key, which nothing keeps, and what is kept of it.

    Raises:
        SettingsError: the name has other characters than a line can hold, or no namespace may have that name.
    """
    if namespace != EVERY_NAMESPACE:
        check_namespace(namespace)
    if not _NAME_PATTERN.fullmatch(name):
        raise SettingsError(f"expected a name of 1 to 40 letters, digits or . _ -, got {name!r}")
    key = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    return key, ApiKey(name, scope, _digest(key), namespace)


def read_keys(text: str, source: str) -> tuple[ApiKey, ...]:
    """The keys of a text, one a line or with commas between them; `#` begins a comment.

    A line is `NAME SCOPE sha256:HEX`, or `NAME SCOPE@NAMESPACE sha256:HEX`, where `*` stands for all namespaces.

    Args:
        text: the lines.
        source: what to call it in an error, such as its path.

    Raises:
        SettingsError: a line is something else, or a key is there twice. The message never quotes a line: somebody may
            have put the key itself there.
    """
    keys: list[ApiKey] = []
    for number, line in enumerate(re.split(r"[\n,]", re.sub(r"#[^\n]*", "", text)), start=1):
        if not line.strip():
            continue
        found = _LINE.fullmatch(line.strip())
        if found is None:
            hint = "`pricematch key` makes such a line"
            form = "NAME SCOPE sha256:HEX, or NAME SCOPE@NAMESPACE sha256:HEX"
            raise SettingsError(f"{source}, entry {number}: expected {form}, got something else; {hint}")
        name, scope = found[1], next(each for each in SCOPES if each == found[2])
        keys.append(ApiKey(name, scope, bytes.fromhex(found[4]), found[3] or DEFAULT_NAMESPACE))
    if len({key.digest for key in keys}) < len(keys):
        raise SettingsError(f"{source}: a key is there twice")
    return tuple(keys)


class KeyRing:
    """The keys that are valid now. They may be replaced while requests are checked.

    Attributes:
        required: whether a request needs a key; that never changes, so that no reload opens a closed service.
    """

    def __init__(self, keys: Sequence[ApiKey]) -> None:
        self._keys = tuple(keys)
        self.required = bool(keys)

    def __len__(self) -> int:
        return len(self._keys)

    def replace(self, keys: Sequence[ApiKey]) -> None:
        """Take these from now on.

        Raises:
            SettingsError: there are none, though the service started with some.
        """
        if self.required and not keys:
            raise SettingsError("expected a key at least, got none")
        self._keys = tuple(keys) if self.required else ()

    def check_scope(self, key: str | None, scope: Scope) -> None:
        """Raise Forbidden where the key of a request that was let through does not cover another scope, too."""
        known = None if key is None or not self.required else self.find(key)
        if self.required and (known is None or not known.covers(scope)):
            got = "one that is not known any more" if known is None else f"one of scope {known.scope}"
            raise Forbidden(f"this takes a key of scope {scope}, got {got}")

    def find(self, key: str) -> ApiKey | None:
        """Which key this is, if it is one; every key is compared, so that the time tells nothing."""
        digest = _digest(key)
        found = None
        for each in self._keys:
            if hmac.compare_digest(each.digest, digest):
                found = each
        return found


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


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
    """Refuse a service without keys that other machines reach, unless settings allow it.

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
