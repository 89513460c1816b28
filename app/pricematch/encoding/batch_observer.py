"""Who wants to know how requests are encoded together."""

from typing import Protocol


class BatchObserver(Protocol):
    """Is told what a batcher does. Called by several threads, and must not take long."""

    def observe_batch(self, size: int) -> None:
        """So many pictures are encoded together."""
        ...

    def set_queue_depth(self, depth: int) -> None:
        """So many pictures of requests wait to be encoded."""
        ...


class Unobserved:
    """Implements `BatchObserver` for when nobody looks."""

    def observe_batch(self, size: int) -> None:
        """Nothing."""

    def set_queue_depth(self, depth: int) -> None:
        """Nothing."""
