"""API keys: made here, kept as digests, compared in constant time."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from pricematch.errors import SettingsError

Scope: TypeAlias = Literal["read", "write", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""Each covers those before it."""
PREFIX = "pm_"
"""What every key begins with, so that secret scanners and people recognise one."""
KEY_PATTERN = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")
"""32 random bytes in URL-safe Base64."""
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_LINE = re.compile(rf"({NAME_PATTERN.pattern})\s+({'|'.join(SCOPES)})\s+sha256:([0-9a-f]{{64}})")
_RANDOM_BYTES = 32


@dataclass(frozen=True)
class ApiKey:
    """A key as it is kept.

    Attributes:
        name: whose it is, for logs and metrics; two keys of one name share its rate.
        scope: what it may do.
        digest: SHA-256 of the key. A key is 256 random bits: nobody can try them out, so the slow hash that passwords
            need would only make every request slower.
    """

    name: str
    scope: Scope
    digest: bytes

    def covers(self, scope: Scope) -> bool:
        """Whether the key may do what needs this scope."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)

    def line(self) -> str:
        """What a file of keys or PRICEMATCH_API_KEYS holds of it."""
        return f"{self.name} {self.scope} sha256:{self.digest.hex()}"


def new_key(name: str, scope: Scope) -> tuple[str, ApiKey]:
    """A new key, which nothing keeps, and what is kept of it.

    Raises:
        SettingsError: the name has other characters than a line can hold.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise SettingsError(f"expected a name of 1 to 40 letters, digits or . _ -, got {name!r}")
    key = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    return key, ApiKey(name, scope, _digest(key))


def read_keys(text: str, source: str) -> tuple[ApiKey, ...]:
    """The keys of a text: `NAME SCOPE sha256:HEX`, one a line or with commas between them; `#` begins a comment.

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
            raise SettingsError(f"{source}, entry {number}: expected NAME SCOPE sha256:HEX, got something else; {hint}")
        name, scope = found[1], next(each for each in SCOPES if each == found[2])
        keys.append(ApiKey(name, scope, bytes.fromhex(found[3])))
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
