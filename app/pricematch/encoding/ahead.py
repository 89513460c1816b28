"""Pictures that were embedded before the thread began that needs their embeddings, so that it need not wait."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from pricematch.encoding.ports import Embedded


@dataclass(frozen=True, eq=False)
class _Ahead:
    images: Sequence[bytes]
    found: Mapping[str, Embedded]


_current: ContextVar[_Ahead | None] = ContextVar("ahead", default=None)


@contextmanager
def embedded_ahead(images: Sequence[bytes], found: Mapping[str, Embedded]) -> Iterator[None]:
    """Whoever embeds these pictures in the block gets what is found already.

    Args:
        images: the pictures.
        found: what became of them, by the key of the `PictureEncoder`.
    """
    token = _current.set(_Ahead(images, found))
    try:
        yield
    finally:
        _current.reset(token)


def found_ahead(key: str, images: Sequence[bytes]) -> Embedded | None:
    """What an encoder has made of just these pictures already; None where it has to be asked."""
    ahead = _current.get()
    if ahead is None or len(ahead.images) != len(images):
        return None
    same = all(one is other for one, other in zip(ahead.images, images, strict=True))
    return ahead.found.get(key) if same else None
