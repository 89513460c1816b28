"""Label groups as people's files have them: cells that say nothing, and labels that something has damaged."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median

_BLANKS = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
"""Every blank of Unicode, and what takes no room."""
_NOTHING = """
nan -nan nat na n/a n.a. n.a <na> #n/a #na null (null) #null! none (none) nil undefined (blank) \\n - -- – — . ?
#value! #ref! #name? #div/0! #num! 1.#ind -1.#ind 1.#qnan -1.#qnan
"""
"""What pandas, databases, spreadsheets and people write where there is nothing; in lower case."""
_PLACEHOLDERS = """
-1 unknown unbekannt other others misc tbd todo test default dummy x xx xxx empty missing unlabeled unlabelled
ungrouped nolabel nogroup notavailable
"""
_NOTHINGS, _FILLERS = frozenset(_NOTHING.split()), frozenset(_PLACEHOLDERS.split())
_ROUNDED = re.compile(r"[+-]?\d+(?:[.,]\d+[eE][+]?|[eE][+])\d+")
_SHORTENED = re.compile(r"\d{15}0+")
_LONG = re.compile(r"\d{16,}")
_MONTH = r"(?:jan|feb|mar|mär|mrz|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)[a-zä]{0,6}\.?"
_DATE = re.compile(rf"\d{{1,2}}[-. ]{{1,2}}{_MONTH}|{_MONTH}[- ]\d{{1,4}}|\d{{4}}-\d\d-\d\d[ T]00:00:00", re.IGNORECASE)
_NUMBER = re.compile(r"0*(\d+)(?:[.,]0+)?")
_SAME_LOOK = str.maketrans("аеікорсухвнмт‐‑‒–—−αεικορτυχν", "aeikopcyxbhmt------aeikoptuxv")
"""Cyrillic and Greek letters and dashes, by what they look like; in lower case."""
_SAME_LOOK_AMONG_DIGITS = str.maketrans("oil", "011")
_LARGE, _TIMES = 20, 10
EXAMPLES = 3
"""Labels that a warning names."""


def strip_blanks(text: str) -> str:
    """A cell without blanks around it, those of any script and those that take no room included."""
    return text.strip(_BLANKS)


def says_nothing(text: str) -> bool:
    """Whether a cell, without blanks around it, is empty or a word for nothing such as nan, NULL, N/A or -.

    >>> [says_nothing(text) for text in ("", "NaN", "#N/A", "18", "nano")]
    [True, True, True, False, False]
    """
    return not text or text.casefold() in _NOTHINGS


def as_label(text: str) -> str | None:
    """A label group as it is stored and compared: in NFC, without blanks around it; None for nothing."""
    label = unicodedata.normalize("NFC", strip_blanks(text))
    return None if says_nothing(label) else label


def is_rounded(text: str) -> bool:
    """Whether a text is a number as spreadsheets and programs round it, such as 2.49115E+11."""
    return _ROUNDED.fullmatch(text) is not None


def rounded(texts: Mapping[str, int]) -> dict[str, int]:
    """Those of some counted texts that are rounded numbers, or such that all end in zeros after fifteen digits."""
    long = [text for text in texts if _LONG.fullmatch(text)]
    shortened = set(long) if len(long) > 1 and all(map(_SHORTENED.fullmatch, long)) else set()
    return {text: count for text, count in texts.items() if is_rounded(text) or text in shortened}


def label_warnings(labels: Mapping[str, int], shown: int = EXAMPLES) -> list[str]:
    """What makes label groups doubtful, a sentence for each kind, with counts and examples.

    Args:
        labels: how many postings have each label.
        shown: examples of each kind, at most.
    """
    found = [
        (
            rounded(labels),
            "like numbers that a spreadsheet rounded",
            "different products may share one; format the column as text, and export it again",
        ),
        (
            {label: count for label, count in labels.items() if _DATE.fullmatch(label)},
            "like dates that a spreadsheet made of something else",
            "format the column as text, and export it again",
        ),
        (
            {label: count for label, count in labels.items() if count > 1 and _compact(label) in _FILLERS},
            "like words for no product",
            "these postings count as one product; leave the cell empty where the product is not known",
        ),
    ]
    warnings = [
        f"{len(which)} label{'s' if len(which) > 1 else ''} on {sum(which.values())} postings read {like} "
        f"({counted(which, shown)}): {advice}"
        for which, like, advice in found
        if which
    ]
    if pairs := look_alikes(labels):
        examples = "; ".join(" and ".join(f"{label!r} {labels[label]}" for label in pair) for pair in pairs[:shown])
        more = f"; {len(pairs) - shown} more" if len(pairs) > shown else ""
        warnings.append(
            f"{sum(map(len, pairs))} labels look like another, and count as different products ({examples}{more}): "
            "write each product's label in one way"
        )
    return warnings + _of_sizes(labels)


def look_alikes(labels: Mapping[str, int]) -> list[Sequence[str]]:
    """Different labels that a person may take for the same, together; the commonest first.

    >>> look_alikes({"18": 2, "18.0": 2, "018": 1, "A-1": 1, "a-1": 1, "19": 5})
    [['18', '18.0', '018'], ['A-1', 'a-1']]
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        alike[_look(label)].append(label)
    several = [names for names in alike.values() if len(names) > 1]
    return sorted(several, key=lambda names: -sum(labels[name] for name in names))


def _look(label: str) -> str:
    """What a label looks like: without case, width, accents' forms, what takes no room, and ways to write a number."""
    text = unicodedata.normalize("NFKC", label).casefold()
    text = " ".join("".join(mark for mark in text if unicodedata.category(mark) != "Cf").split())
    text = "".join(str(unicodedata.decimal(mark, mark)) for mark in text).translate(_SAME_LOOK)
    if any(mark.isdigit() for mark in text):
        text = text.translate(_SAME_LOOK_AMONG_DIGITS)
    number = _NUMBER.fullmatch(text)
    return text if number is None else number[1]


def _of_sizes(labels: Mapping[str, int]) -> list[str]:
    sizes = sorted(labels.values(), reverse=True)
    if len(sizes) > 1 and sizes[0] == 1:
        return [f"no two of {len(sizes)} postings with a label share one: is it the product, or the posting's own id?"]
    if len(sizes) == 1 and sizes[0] > 1:
        return [f"all {sizes[0]} postings with a label have the same one"]
    if len(sizes) > 1 and sizes[0] >= _LARGE and sizes[0] >= _TIMES * max(median(sizes), sizes[1] / 2):
        label = max(labels, key=lambda name: labels[name])
        return [f"the label {label[:80]!r} is on {sizes[0]} postings, the next on {sizes[1]}: is it a product?"]
    return []


def _compact(label: str) -> str:
    return re.sub(r"[\s_()]+", "", label).casefold()


def counted(which: Mapping[str, int], shown: int = EXAMPLES) -> str:
    """The commonest of some texts with their counts, and how many more there are.

    >>> counted({"a": 1, "b": 3}, 1)
    "'b' 3, 1 more"
    """
    first = sorted(which.items(), key=lambda item: (-item[1], item[0]))[:shown]
    more = [f"{len(which) - shown} more"] if len(which) > shown else []
    return ", ".join([*(f"{text[:80]!r} {count}" for text, count in first), *more])
