"""What a service works with, kept in memory."""

from pricematch.encoding.ports import ImageSource
from pricematch.encoding.stored_images import Encode, StoredImages
from pricematch.matching.matcher import Matcher
from pricematch.serving.backend import Backend
from pricematch.serving.intake import Intake
from pricematch.serving.snapshots import Snapshot, Snapshots
from tests.support.encoding import TinyEncoding
from tests.support.memory_store import MemoryStore


class BothImages:
    """Implements `ports.ImageSource`: the images of before, and those that were put."""

    def __init__(self, before: ImageSource, put: ImageSource) -> None:
        self._before, self._put = before, put

    def read(self, name: str) -> bytes:
        return self._put.read(name) if len(name) == 64 else self._before.read(name)


def in_memory(matcher: Matcher, images: ImageSource, encode: Encode) -> tuple[Intake, MemoryStore]:
    """A catalogue that may be changed, and the store that keeps it in memory."""
    store = MemoryStore.holding(list(matcher.catalogue))
    stored = StoredImages(BothImages(images, store), store, encode, lambda *_: None)
    live = Snapshots(store, stored, lambda: Snapshot(store.version(), matcher))
    return Intake(store, store, stored, live), store


def backend(matcher: Matcher, images: ImageSource, encoding: TinyEncoding | None = None) -> Backend:
    """What a service needs to answer from a catalogue in memory."""
    encoding = encoding or TinyEncoding()
    intake, store = in_memory(matcher, images, encoding.encode)
    return Backend(
        encode=encoding,
        intake=intake,
        jobs=store,
        models=store,
    )
