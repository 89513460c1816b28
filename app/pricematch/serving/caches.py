"""Caches of requests by content: features of images by their bytes, results by what was asked of a matcher."""

import asyncio
import hashlib
import weakref
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import replace
from functools import partial
from typing import Generic, TypeAlias, TypeVar

from pricematch.catalogue.features import ImageFeatures, Seconds, Wanted
from pricematch.catalogue.filters import size_of
from pricematch.errors import ImageError
from pricematch.matching.matcher import Matcher
from pricematch.matching.queries import Options, Query, Result
from pricematch.settings import KIB, MIB

Value = TypeVar("Value")
_ImageResult: TypeAlias = ImageFeatures | ImageError
_Compute: TypeAlias = Callable[[Sequence[bytes], Wanted], Awaitable[Sequence[_ImageResult]]]
_Key: TypeAlias = tuple[bytes, Wanted]
_Run: TypeAlias = Callable[..., Awaitable[Result]]
"""Does work with its arguments in another thread."""
_FEATURES_BYTES, _EMBEDDING_BYTES = KIB, 192
"""Bytes that the features of an image take at most beside its embeddings, and an embedding beside its values."""
_RESULT_BYTES = _MATCH_BYTES = 3 * KIB
"""Bytes that a result takes at most beside its matches, and a match with its explanation."""
_CHARACTER_BYTES = 4
_LONG = MIB
"""Bytes of images whose digests another thread computes, so that no other request waits for them."""


class BoundedCache(Generic[Value]):
    """Values by key; the least recently used go first where all together are too large. For one event loop.

    Args:
        most: bytes that are kept; 0 keeps nothing.

    Attributes:
        size: bytes that are kept now, as those who put values in have estimated them.
        hits: how often what was asked for needed not be computed,
        misses: and how often it had to be.
    """

    def __init__(self, most: int) -> None:
        self.most, self.size, self.hits, self.misses = most, 0, 0, 0
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable) -> Value | None:
        """The value of a key, which is used by that; None where it is not kept."""
        if (kept := self._values.get(key)) is None:
            return None
        self._values.move_to_end(key)
        return kept[0]

    def put(self, key: Hashable, value: Value, size: int) -> None:
        """Keep a value of so many bytes, unless it alone is too large."""
        if size > self.most:
            return
        self.size += size - self._values.pop(key, (value, 0))[1]
        self._values[key] = value, size
        self._make_room()

    def _make_room(self) -> None:
        while self.size > self.most:
            _, (_, gone) = self._values.popitem(last=False)
            self.size -= gone

    def resize(self, most: int) -> None:
        """Keep so many bytes from now on."""
        self.most = most
        self._make_room()

    def clear(self) -> None:
        """Keep nothing of what there is."""
        self._values.clear()
        self.size = 0


class FeatureCache(BoundedCache[ImageFeatures]):
    """Features by the bytes of an image and what is wanted of it. For one event loop.

    The key of an encoder names everything that its embeddings depend on, so that no other model can be the one that
    kept features are of. Bad images, stored forms and thumbnails are not kept.
    """

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self._begun: dict[_Key, asyncio.Future[_ImageResult]] = {}

    async def features(self, images: Sequence[bytes], wanted: Wanted, compute: _Compute) -> list[_ImageResult]:
        """The features of images, each content computed once, also where several requests have it at a time.

        Args:
            images: their bytes.
            wanted: which features.
            compute: gives those that are not kept; what it raises is raised.
        """
        if wanted.stored_form or wanted.thumbnail_side or not self.most:
            return list(await compute(images, wanted))
        keys = [(digest, wanted) for digest in await _digests(images)]
        lacking, computed = dict(zip(keys, images, strict=True)), 0
        found: dict[_Key, _ImageResult] = {key: kept for key in lacking if (kept := self.get(key)) is not None}
        while lacking := {key: image for key, image in lacking.items() if key not in found}:
            begun = {key: self._begun[key] for key in lacking if key in self._begun}
            if mine := {key: image for key, image in lacking.items() if key not in begun}:
                found |= await self._computed(mine, wanted, compute)
                computed += len(mine)
            for key, result in begun.items():
                await asyncio.wait([result])
                if not result.cancelled():  # else whoever began has given up
                    found[key] = result.result()
        self.misses += computed
        self.hits += len(images) - computed
        return [found[key] for key in keys]

    async def _computed(self, images: dict[_Key, bytes], wanted: Wanted, compute: _Compute) -> dict[_Key, _ImageResult]:
        """Features that nobody computes yet; whoever wants the same meanwhile waits for them."""
        loop = asyncio.get_running_loop()
        begun: dict[_Key, asyncio.Future[_ImageResult]] = {key: loop.create_future() for key in images}
        self._begun |= begun
        try:
            found = dict(zip(images, await compute([*images.values()], wanted), strict=True))
            for key, result in found.items():
                begun[key].set_result(result)
                if isinstance(result, ImageFeatures):
                    self._keep(key, result)
        finally:
            for key, future in begun.items():
                del self._begun[key]
                future.cancel()
        return found

    def _keep(self, key: _Key, image: ImageFeatures) -> None:
        _, wanted = key
        # copies: the rows are parts of the whole answer of a process
        embeddings = {name: image.embeddings[name].copy() for name in wanted.encoders if name in image.embeddings}
        size = _FEATURES_BYTES + sum(_EMBEDDING_BYTES + row.nbytes for row in embeddings.values())
        self.put(key, replace(image, embeddings=embeddings, seconds=Seconds(), stored_form=b""), size)


class ThumbnailCache(BoundedCache[bytes]):
    """Thumbnails of stored images, by the images' names and the side. For one event loop."""

    async def thumbnail(self, name: str, side: int, compute: Callable[[], Awaitable[bytes]]) -> bytes:
        """A thumbnail; what `compute` raises where it is not kept is raised."""
        if (kept := self.get((name, side))) is not None:
            self.hits += 1
            return kept
        self.misses += 1
        found = await compute()
        self.put((name, side), found, len(found) + _FEATURES_BYTES)
        return found


class ResultCache(BoundedCache[Result]):
    """Results of the matcher that was asked last, by what it was asked. For one event loop.

    A matcher is immutable and one of another basis takes its place with every change but those of metadata alone, so
    what is kept is what it would answer.
    """

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self._basis: tuple[weakref.ref[object], ...] = ()

    async def match(self, matcher: Matcher, query: Query, options: Options, run: _Run) -> Result:
        """The matches of a query; `run` does the work where they are not kept, and what it raises is raised."""
        # the digest says which image it is, the others which of its features are there
        shown = tuple((image.digest, image.phash, frozenset(image.embeddings)) for image in query.images)
        told = tuple(matcher.evidence_fields.compared(query.metadata))
        compute = partial(run, matcher.match, query, options)
        return await self._result(matcher, query.title, (shown, told), options, compute)

    async def match_posting(self, matcher: Matcher, posting_id: str, options: Options, run: _Run) -> Result:
        """The matches of a stored posting, see `match`."""
        compute = partial(run, matcher.match_posting, posting_id, options)
        return await self._result(matcher, posting_id, None, options, compute)

    async def _result(
        self, matcher: Matcher, text: str, shown: Hashable, options: Options, compute: Callable[[], Awaitable[Result]]
    ) -> Result:
        """The result of a question, which is a text, what else is shown, and options."""
        if not self._is_of(matcher):
            self.clear()
            self._basis = tuple(map(weakref.ref, matcher.basis))
        # what a filter holds of changes with metadata alone
        of = None if options.filter is None else weakref.ref(matcher.catalogue)
        if (kept := self.get(key := (text, shown, options, of))) is not None:
            self.hits += 1
            return kept
        found = await compute()
        self.misses += 1
        if self._is_of(matcher):  # not another one meanwhile
            size = _RESULT_BYTES + _MATCH_BYTES * len(found.matches) + _CHARACTER_BYTES * len(text)
            self.put(key, found, size + (0 if options.filter is None else size_of(options.filter)))
        return found

    def _is_of(self, matcher: Matcher) -> bool:
        """Whether what is kept is what a matcher would answer."""
        now = matcher.basis
        return len(self._basis) == len(now) and all(ref() is it for ref, it in zip(self._basis, now, strict=True))


async def _digests(images: Sequence[bytes]) -> list[bytes]:
    """SHA-256 of images."""
    if sum(map(len, images)) > _LONG:
        return await asyncio.to_thread(_sha256, images)
    return _sha256(images)


def _sha256(images: Sequence[bytes]) -> list[bytes]:
    return [hashlib.sha256(image).digest() for image in images]
