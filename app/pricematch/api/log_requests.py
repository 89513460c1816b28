"""The request that is being answered, for whatever is logged meanwhile."""

import random
import re
from contextvars import ContextVar, Token
from dataclasses import dataclass

_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_numbers = random.Random()  # noqa: S311 — ids are unique, not secret, and uuid4 asks the kernel for each


@dataclass(slots=True)
class AskedRequest:
    """What is known of a request while it is answered.

    Attributes:
        request_id: given by the client or made here.
        key: the name of its API key, never the key; None without one.
        problem: the last part of the type of the problem that it is answered with; None if it is none.
    """

    request_id: str = ""
    key: str | None = None
    problem: str | None = None


_asked: ContextVar[AskedRequest | None] = ContextVar("asked_request", default=None)


def begin(given_id: str | None) -> tuple[AskedRequest, Token[AskedRequest | None]]:
    """A request begins; an id that the client gave is taken if nothing can be forged with it."""
    taken = given_id is not None and _SAFE_ID.fullmatch(given_id) is not None
    asked = AskedRequest(given_id if taken and given_id is not None else new_id())
    return asked, _asked.set(asked)


def new_id() -> str:
    """An id that no other request has."""
    return f"{_numbers.getrandbits(128):032x}"


def end(token: Token[AskedRequest | None]) -> None:
    """It was answered."""
    _asked.reset(token)


def current() -> AskedRequest:
    """The request that is being answered; one that nobody reads where there is none."""
    return _asked.get() or AskedRequest()
