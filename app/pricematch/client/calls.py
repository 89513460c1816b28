"""Calls of the service, and verbs: each is described once, and both clients have it.

A verb says which calls it takes, and a client makes them: `Client` waits, `AsyncClient` awaits. A verb of one call
returns it; one of several is a flow, a generator that yields steps and is sent what became of them.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar, overload
from urllib.parse import quote
from uuid import uuid4

import httpx2

from pricematch.client.errors import PricematchClientError
from pricematch.client.reading import read

P = ParamSpec("P")
T = TypeVar("T")
Content: TypeAlias = Mapping[str, Any]
"""The body of a request, by what httpx2 calls its parts: `json`, or `data` and `files`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """One request, and how its answer is read.

    Attributes:
        path: below `/v1` in the client's namespace, unless it stands `beside_namespaces`, or `beside_versions` and then
            beside those as well.
        read: makes the result of an answer of success; raises ValueError for one that it cannot be made of.
        query: parameters; those that are None are left out.
        also: statuses that are read beside those of success.
        repeatable: whether nothing is lost or done twice where it is sent again.
        waits: seconds that the service may take on purpose.
    """

    method: str
    path: str
    read: Callable[[httpx2.Response], T]
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Content = field(default_factory=dict)
    also: tuple[int, ...] = ()
    repeatable: bool = True
    beside_versions: bool = False
    beside_namespaces: bool = False
    waits: float = 0


@dataclass(frozen=True, slots=True)
class Pause:
    """A step: let some seconds pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Work(Generic[T]):
    """A step: do what reads or writes files for long."""

    do: Callable[[], T]


@dataclass(frozen=True, slots=True)
class Items(Generic[T]):
    """A step of a verb that iterates: what comes next."""

    items: Sequence[T]


Step: TypeAlias = Call[Any] | Pause | Work[Any]
Flow: TypeAlias = Generator[Step, Any, T]
Listing: TypeAlias = Generator[Step | Items[T], Any, None]


def ask(call: Call[T]) -> Flow[T]:
    """Make a call; used with `yield from`, which gives its result."""
    result: T = yield call
    return result


def work(do: Callable[[], T]) -> Flow[T]:
    """Do what reads or writes files for long; used as `ask`."""
    result: T = yield Work(do)
    return result


class SyncRunner(ABC):
    """Makes the calls of verbs, and waits for what comes."""

    @abstractmethod
    def run(self, flow: Flow[T]) -> T:
        """The result of a flow."""

    @abstractmethod
    def iterate(self, listing: Listing[T]) -> Iterator[T]:
        """The items of a listing, each page when it is wanted."""


class AsyncRunner(ABC):
    """Makes the calls of verbs, and awaits what comes."""

    @abstractmethod
    async def run(self, flow: Flow[T]) -> T:
        """The result of a flow."""

    @abstractmethod
    def iterate(self, listing: Listing[T]) -> AsyncIterator[T]:
        """The items of a listing, each page when it is wanted."""


class verb(Generic[P, T]):  # noqa: N801 — a decorator
    """A verb of both clients: of `Client` it returns the result, of `AsyncClient` it is to be awaited."""

    def __init__(self, describe: Callable[Concatenate[Any, P], Call[T] | Flow[T]]) -> None:
        self._describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> "verb[P, T]": ...
    @overload
    def __get__(self, client: SyncRunner, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AsyncRunner, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        if client is None:
            return self

        @wraps(self._describe)
        def run(*args: P.args, **kwargs: P.kwargs) -> Any:
            described = self._describe(client, *args, **kwargs)
            return client.run(ask(described) if isinstance(described, Call) else described)

        return run


class listing(Generic[P, T]):  # noqa: N801 — a decorator
    """A verb that iterates: with `for` of `Client`, with `async for` of `AsyncClient`."""

    def __init__(self, describe: Callable[Concatenate[Any, P], Listing[T]]) -> None:
        self._describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> "listing[P, T]": ...
    @overload
    def __get__(self, client: SyncRunner, owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, client: AsyncRunner, owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        if client is None:
            return self

        @wraps(self._describe)
        def run(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.iterate(self._describe(client, *args, **kwargs))

        return run


@dataclass(frozen=True, slots=True)
class Returned(Generic[T]):
    """A flow has ended with this."""

    value: T


def onwards(
    flow: Generator[Any, Any, T], answer: Any = None, error: PricematchClientError | None = None
) -> Any | Returned[T]:
    """The next step of a flow that is told what became of the last one, or what it returned."""
    try:
        return flow.send(answer) if error is None else flow.throw(error)
    except StopIteration as end:
        return Returned(end.value)


def as_result(kind: type[T]) -> Callable[[httpx2.Response], T]:
    """Reads an answer of JSON as a result."""
    return lambda response: read(kind, response.json())


def once() -> dict[str, str]:
    """The header by which a request that stores something is done once, however often it is sent."""
    return {"Idempotency-Key": str(uuid4())}


def in_path(text: str, what: str) -> str:
    """An id as part of a path; raises ValueError for an empty one, `.` or `..`, whose path would be another."""
    if text in {"", ".", ".."}:
        raise ValueError(f"expected {what}, got {repr(text) if text else 'an empty text'}")
    return quote(text, safe="")


def pages(
    call: Callable[[str], Call[T]], items: Callable[[T], Sequence[Any]], at: Callable[[T], str | None]
) -> Listing[Any]:
    """The items of all pages: each is asked for with the cursor of the one before, and None ends them."""
    cursor: str | None = ""
    while cursor is not None:
        page = yield from ask(call(cursor))
        yield Items(items(page))
        cursor = at(page)
