"""Names of images as a catalogue writes them, found among those that another computer gave its files."""

import difflib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

_JUNK_FOLDERS = {"__MACOSX"}
_JUNK_FILES = {".DS_Store", "Thumbs.db", "desktop.ini", "Icon\r"}
_MAX_NEAREST = 100
"""Misses for which the nearest of all names is looked for; it takes a while, and more are not read by anyone."""
_COMPARED_NAMES, _COMPARED_CHARACTERS = 2000, 100


def is_junk(name: str) -> bool:
    """Whether macOS or Windows put a file among the others that nobody asked for."""
    parts = plain(name).split("/")
    return parts[0] in _JUNK_FOLDERS or parts[-1] in _JUNK_FILES


def plain(name: str) -> str:
    """A name with `/` between folders and composed letters (NFC), as most catalogues write it."""
    return unicodedata.normalize("NFC", name.replace("\\", "/")).removeprefix("./")


class ImageNames:
    """The names of stored images.

    One is found by its name, whichever way its accents and separators are written; else without the folders that
    all images are in; else in other case, if that is one image only.

    Args:
        names: as they are stored; junk among them is left out.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._stored: dict[str, list[str]] = {}
        self._folded: dict[str, list[str]] = {}
        self._by_last: dict[str, list[str]] = {}
        for name in names:
            if not is_junk(name):
                key = plain(name)
                self._stored.setdefault(key, []).append(name)
                self._folded.setdefault(key.casefold(), []).append(name)
                self._by_last.setdefault(_stem(key), []).append(name)
        self._folders = ["", *_common_folders(self._stored)]
        self._nearest = 0

    def find(self, name: str) -> str | None:
        """The stored name of the image that a catalogue calls so; None where it is none, or one of several."""
        found = self._candidates(name)
        return name if name in found else found[0] if len(found) == 1 else None

    def hint(self, name: str) -> str:
        """What to say of a name that was not found: those that it may mean, with a semicolon before it, or nothing."""
        if found := self._candidates(name):
            return f"; it may be {' or '.join(repr(each)[:200] for each in sorted(found)[:3])}, write one of them"
        nearest = next(iter(self._by_last.get(_stem(plain(name)), ())), None) or self._most_similar(name)
        return "" if nearest is None else f"; the nearest name is {nearest[:200]!r}"

    def _candidates(self, name: str) -> Sequence[str]:
        key = plain(name)
        for table, wanted in ((self._stored, key), (self._folded, key.casefold())):
            for folder in self._folders:
                if found := table.get(f"{folder.casefold() if table is self._folded else folder}{wanted}"):
                    return found
        return ()

    def _most_similar(self, name: str) -> str | None:
        self._nearest += 1
        if self._nearest > _MAX_NEAREST or len(self._stored) > _COMPARED_NAMES or len(name) > _COMPARED_CHARACTERS:
            return None
        keys = [key for key in self._stored if len(key) <= _COMPARED_CHARACTERS]
        return next((self._stored[key][0] for key in difflib.get_close_matches(plain(name), keys, 1)), None)


def _stem(key: str) -> str:
    """The last part of a name without its ending, in no case."""
    return key.rpartition("/")[2].rpartition(".")[0].casefold() or key.casefold()


def _common_folders(keys: Iterable[str]) -> Iterator[str]:
    """The folders, one in the other, that all names are in."""
    folders = [key.split("/")[:-1] for key in keys]
    first, last = min(folders, default=[]), max(folders, default=[])
    folder = ""
    for part, other in zip(first, last, strict=False):
        if part != other:
            return
        folder += f"{part}/"
        yield folder
