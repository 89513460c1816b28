"""A stream of changes drawn from a seed, for a process that is killed while it works through it."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Put
from pricematch.store.sqlite.store import Store, open_store
from tests.support.written_store import image_bytes, put

IDS = [f"posting-{number}" for number in range(10)]
SIZES = (300, 20_000, 400_000)


@dataclass(frozen=True)
class Change:
    """Postings that are put in one call, or one that is deleted."""

    puts: tuple[Put, ...] = ()
    deleted: str = ""

    def make(self, store: Store) -> None:
        if self.puts:
            store.postings.put(self.puts)
        else:
            store.postings.delete(self.deleted)

    def on(self, postings: dict[str, Posting]) -> dict[str, Posting]:
        """What is stored after it."""
        left = {posting_id: posting for posting_id, posting in postings.items() if posting_id != self.deleted}
        return left | {each.posting.posting_id: each.posting for each in self.puts}


def changes(seed: int) -> Iterator[Change]:
    """Endlessly many; images are shared, replaced and given up."""
    draw = random.Random(seed)
    while True:
        if draw.random() < 0.3:
            yield Change(deleted=draw.choice(IDS))
            continue
        chosen = draw.sample(IDS, draw.choice((1, 1, 3)))
        yield Change(tuple(put(posting_id, drawn_image(draw), str(draw.random())) for posting_id in chosen))


def drawn_image(draw: random.Random) -> bytes | None:
    number = draw.randrange(12)
    return image_bytes(number, SIZES[number % len(SIZES)]) if number < 10 else None


def work(folder: Path, seed: int, acknowledged: Connection) -> None:
    """Make the changes of a seed, and tell of each one that is made; until killed."""
    store = open_store(folder, serve=True)
    for change in changes(seed):
        change.make(store)
        acknowledged.send_bytes(b".")
