"""pricematch: which postings of a marketplace show the same product, and how sure are we.

`load` gives a notebook or script a catalogue to ask questions of, `embed` embeds images; see docs/notebook.md. Nothing
else is imported before one of them is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["PricematchError", "Shop", "__version__", "embed", "load"]
_HOMES = {
    "PricematchError": "pricematch.errors",
    "Shop": "pricematch.notebook.shop",
    "embed": "pricematch.notebook.embedding",
    "load": "pricematch.notebook.loading",
}
"""Modules of the names that are imported when they are first used."""

if TYPE_CHECKING:  # who checks types sees no `__getattr__`, and tells of names that are not there
    from pricematch.errors import PricematchError
    from pricematch.notebook.embedding import embed
    from pricematch.notebook.loading import load
    from pricematch.notebook.shop import Shop
else:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
