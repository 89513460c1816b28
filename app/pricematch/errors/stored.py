"""What is kept on disk and cannot be used."""

from pricematch.errors.base import PricematchError


class StoreError(PricematchError):
    """Something about what is kept on disk."""


class StoreUnavailable(StoreError):
    """The store cannot be read or written now: a read-only file system, an I/O error, a lock that is held too long."""


class StoreFull(StoreError):
    """The store has no room for more."""


class StoreDamaged(StoreError):
    """The store is not whole, or is no store of ours; says what to do."""


class RowDamaged(StoreDamaged):
    """A posting, verdict, job or product is not as it was stored; the others are answered. Names it, and no folder."""


class StoreNewer(StoreError):
    """The store was written by a newer pricematch than this one."""


class StoreInUse(StoreError):
    """Another process serves this store."""
