"""Sentences on pairs of postings, by family of features: for the same product, and against it.

Each is true of its pair. Families are those of `explanation.family_of`; families of facts are the groups of attributes
that titles are compared by.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import TypeAlias

from pricematch.catalogue.evidence import evidence_families
from pricematch.catalogue.features import BITS
from pricematch.catalogue.fields import Field
from pricematch.titles.comparison import GROUPS, read_together
from pricematch.titles.lexicon import VARIANTS_OF
from pricematch.titles.normalise import Attribute, ParsedTitle

NEAR_BITS = 8
"""Bits by which the hashes of nearly the same image differ, at most.

Of images encoded again, made smaller or written across, 96 to 100 % differ by this little; of those cropped by 2 to
10 % about 60 %, framed 40 to 55 %, under a banner 30 to 45 %. So do 0.1 % of photos of different products that look
alike, and none in a hundred other photos of the same product. Two bits more find another 10 to 15 % of the cropped and
marked, but also the back and the front of a jacket. The cosine of embeddings is no help: where copies end and other
photos begin depends on the encoder, and each of two encoders mixes them up.
"""
PART_OF = {"number": "model"}
"""Numbers are parts of model codes, which are named instead of them."""
FACTS = tuple(group for group in GROUPS if group not in PART_OF)
"""Families of facts that titles state."""
MOST_WORDS = 3
"""Words of one title in a sentence."""

_KINDS_OF = {
    family: (*GROUPS[family], *(kind for part, whole in PART_OF.items() if whole == family for kind in GROUPS[part]))
    for family in FACTS
}
_ALIKE_BITS = 16
"""Bits up to which images are called alike; unlike ones differ in about 32."""
_NEAREST, _COMMON = 10, 3
_BETTER = 0.02
_ALIKE_BLENDS = _ALIKE_IMAGES = 0.5
_CALLED = {"count": "pack of ", "number": "number ", "model": "model ", "size": "size "}
_MOST_VALUES = 4
_LONGEST = 24
_TWICE, _LITTLE = 2, 1.25
"""How many times a number is another where that is told as a multiple, and where it may speak for a pair."""
_ROUND, _MOST_TIMES = 10, 1000
_RARE_SHARE, _ALWAYS_RARE = 0.002, 5

_Both: TypeAlias = tuple[str | None, str | None]
"""A sentence for the same product, and one against it; None where there is none."""
_Words: TypeAlias = Sequence[str]


@dataclass(frozen=True, slots=True)
class Sentences:
    """What is true of a pair.

    Attributes:
        supporting: by family, a sentence for the same product.
        opposing: by family, a sentence against it.
        contradicted: families of facts in which the titles contradict each other.
    """

    supporting: Mapping[str, str]
    opposing: Mapping[str, str]
    contradicted: set[str]


def sentences(
    values: Sequence[Mapping[str, float]],
    title: ParsedTitle,
    titles: Sequence[ParsedTitle],
    counts: Mapping[str, int],
    fields: Sequence[Field] = (),
) -> list[Sentences]:
    """Sentences on the pairs of one posting and m others.

    Args:
        values: m, by name the features (`PairModel.feature_names`) that are known.
        title: of the one posting.
        titles: m, of the others.
        counts: by word, how many titles of the catalogue hold it.
        fields: evidence fields that are compared, each a family of its own.
    """
    found, families = [], evidence_families(fields)
    for known, other in zip(values, titles, strict=True):
        facts, contradicted = _facts(*map(_by_kind, read_together(title, other)))
        both = {
            "hash": _hash(known),
            "image": _image(known, "image", "images look alike", "other images look more alike"),
            "colours": _image(known, "colours", "images have the same colours", "other images have colours more alike"),
            "title": _title(known, title, other, counts),
            "common_hash": _common_hash(known),
            "common_title": _common_title(known),
            "neighbours": _neighbours(known),
            **facts,
            **{name: _evidence(known, name, field) for name, field in zip(families, fields, strict=True)},
        }
        supporting = {family: text for family, (text, _) in both.items() if text}
        opposing = {family: text for family, (_, text) in both.items() if text}
        found.append(Sentences(supporting, opposing, contradicted))
    return found


def _hash(values: Mapping[str, float]) -> _Both:
    """On the perceptual hashes of both images, and their bytes."""
    if values.get("same_image") == 1:
        return "images are the same file", None
    if (similarity := values.get("hash_similarity")) is None:
        return None, None
    bits = round((1 - similarity) * BITS)
    if bits > _ALIKE_BITS:
        return None, f"images differ: {bits} of {BITS} bits"
    nearer = values["hash_rank_high"]
    against = f"{nearer:.0f} other images are nearer" if nearer else None
    if bits == 0:
        return "images have the same hash", against
    differing = f"{bits} of {BITS} bits differ" if bits > 1 else f"1 of {BITS} bits differs"
    return f"images are {'nearly equal' if bits <= NEAR_BITS else 'alike'}: {differing}", against


def _image(values: Mapping[str, float], retriever: str, alike: str, unlike: str) -> _Both:
    """On the cosine of both images; how high a high one is depends on encoder and catalogue, so ranks decide.

    Args:
        values: as for `sentences`.
        retriever: one of `retrievers.IMAGE_RETRIEVERS`.
        alike: the text for images that are among each other's nearest, from a cosine of 0.5 on.
        unlike: the text for others; with "few" before it, for the nearest below that cosine.
    """
    if (similarity := values.get(f"{retriever}_similarity")) is None:
        return None, None
    near = values[f"{retriever}_rank_low"] < _NEAREST
    far = values[f"{retriever}_rank_high"] >= _NEAREST
    return (
        f"{alike if similarity >= _ALIKE_IMAGES else f'few {unlike}'}: similarity {similarity:.2f}" if near else None,
        f"{unlike}: similarity {similarity:.2f} only" if far else None,
    )


def _title(values: Mapping[str, float], left: ParsedTitle, right: ParsedTitle, counts: Mapping[str, int]) -> _Both:
    """On the words of both titles."""
    shared = apart = None
    if left.words and right.words:
        shared = _shared(left.words, right.words, counts, exp(values["catalogue_size"]))
        apart = _apart(left.words, right.words, counts)
    plain, blended = (values.get(f"{name}_similarity", 0) for name in ("words", "blend"))
    if shared is None and left.text and right.text and plain < _ALIKE_BLENDS <= blended:
        shared = "postings like these two have titles alike"
    return shared, apart


def _common_title(values: Mapping[str, float]) -> _Both:
    """On how many postings have the more common of both titles."""
    if (count := values.get("title_repeats_high", 0)) < _COMMON:
        return None, None
    which = "this title is" if values["same_title"] else "one of the titles is"
    return None, f"{which} common: {count:.0f} postings have it"


def _common_hash(values: Mapping[str, float]) -> _Both:
    """On how many postings have the more common of both hashes."""
    if (count := values.get("hash_repeats_high", 0)) < _COMMON:
        return None, None
    which = "this image is" if values["hash_similarity"] == 1 else "one of the images is"
    return None, f"{which} common: {count:.0f} postings have its hash"


def _neighbours(values: Mapping[str, float]) -> _Both:
    """On the other postings that both match, by the first scorer's probabilities."""
    own, shared, best = values["first"], round(values["paths"]), values["best_high"]
    supporting = "neither matches another posting better" if own >= best else None
    if shared:
        supporting = f"about {shared} other posting{'s match' if shared > 1 else ' matches'} both"
    if values["best_low"] > own + _BETTER:
        return supporting, "both match other postings better"
    if best > own + _BETTER:
        return supporting, "one of them matches another posting better"
    others = values["sure_high"] - (own > 1 / 2)
    if others < max(2, 2 * shared):
        return supporting, None
    some = f"about {shared}" if shared else "none"
    return supporting, f"one matches {others:.0f} other postings, the other {some} of them"


def _evidence(values: Mapping[str, float], family: str, field: Field) -> _Both:
    """On the values of an evidence field: how far apart they are, and not which, since those are sellers' words."""
    name = field.name if len(field.name) <= _LONGEST else field.name[: _LONGEST - 1] + "…"
    same = values.get(f"{family}_{'equal' if field.type == 'number' else 'shared'}")
    if same is None:
        return None, None
    if same == 1:
        return f"{name} is the same", None
    if same > 0:
        return f"some values of {name} are the same", f"some values of {name} differ"
    if (ratio := values.get(f"{family}_ratio")) is None:
        return None, f"{name} differs"
    times = exp(min(ratio, log(_MOST_TIMES)))
    if times >= _TWICE:
        most = "over " if ratio > log(_MOST_TIMES) else ""
        return None, f"{name} is {most}{times:.{0 if times >= _ROUND else 1}f} times as high in one"
    percent = f"{name} differs by {max(1, round(100 * (times - 1)))} %"
    return (f"{percent} only" if times <= _LITTLE else None), percent


def _facts(
    ours: Mapping[str, Sequence[Attribute]], theirs: Mapping[str, Sequence[Attribute]]
) -> tuple[dict[str, _Both], set[str]]:
    """On the attributes of both titles by family of facts, of each the first kind that gives a sentence.

    For the same product speaks what both state; against it a contradiction, or else what only one states. It is a
    contradiction where each states what the other does not, and where only one says how many are in its pack, unless
    that is one.

    Returns:
        The sentences, and the families that hold a contradiction.
    """
    agreed, contradictions, one_sided = dict[str, str](), dict[str, str](), dict[str, str]()
    for kind in ours.keys() | theirs.keys():
        one, other = ours.get(kind, ()), theirs.get(kind, ())
        left, right = [it for it in one if not it.agrees(other)], [it for it in other if not it.agrees(one)]
        if both := [it for it in one if it.agrees(other)]:
            agreed[kind] = f"both say {_named(kind, both)}"
        if left or right:
            one_sided[kind] = f"only one says {_named(kind, [*left, *right])}"
        if left and right:
            contradictions[kind] = f"{_named(kind, left)} against {_values(right)}"
        elif kind == "count" and not (one and other) and any(it.shown != "1" for it in (*one, *other)):
            packs = (_named(kind, stated) if stated else "no number" for stated in (one, other))
            contradictions[kind] = " against ".join(packs)
    sentences_of = {
        family: (_first(kinds, agreed), _first(kinds, contradictions) or _first(kinds, one_sided))
        for family, kinds in _KINDS_OF.items()
    }
    return sentences_of, {family for family, kinds in _KINDS_OF.items() if not contradictions.keys().isdisjoint(kinds)}


def _first(kinds: Sequence[str], texts: Mapping[str, str]) -> str | None:
    """The text of the first kind that has one."""
    return next((texts[kind] for kind in kinds if kind in texts), None) if texts else None


def _by_kind(attributes: Sequence[Attribute]) -> Mapping[str, Sequence[Attribute]]:
    found: dict[str, list[Attribute]] = {}
    for attribute in attributes:
        found.setdefault(attribute.kind, []).append(attribute)
    return found


def _named(kind: str, attributes: Sequence[Attribute]) -> str:
    return _CALLED.get(kind, "") + _values(attributes)


def _values(attributes: Sequence[Attribute]) -> str:
    """Values with commas between; beyond four, that there are more."""
    more = ["…"] if len(attributes) > _MOST_VALUES else []
    return ", ".join([attribute.shown for attribute in attributes[:_MOST_VALUES]] + more)


def _shared(ours: _Words, theirs: _Words, counts: Mapping[str, int], size: float) -> str | None:
    if ours == theirs:
        return "titles have the same words"
    if not (shared := _rarest(ours, set(ours) & set(theirs), counts)):
        return None
    most = min(max(_ALWAYS_RARE, _RARE_SHARE * size), size / 4)
    rare = [word for word in shared if counts.get(word, 0) <= most]
    return f"titles share the {'rare ' if rare else ''}{_quoted(rare or shared)}"


def _apart(ours: _Words, theirs: _Words, counts: Mapping[str, int]) -> str | None:
    one, other = set(ours), set(theirs)
    if not one & other:
        return "titles share no word"
    left, right = _rarest(ours, one - other, counts), _rarest(theirs, other - one, counts)
    if left and right:
        return f"titles differ: {_listed(left)} against {_listed(right)}"
    return f"only one title has the {_quoted(left or right)}" if left or right else None


def _rarest(words: _Words, kept: set[str], counts: Mapping[str, int]) -> list[str]:
    """Words of letters, the rarest first, but such that one posting at most has behind all others.

    Those are misspelled more often than they tell products apart. Quantities, models and variants are left out: they
    have sentences of their own, as attributes.
    """
    found = [
        word
        for word in dict.fromkeys(words)
        if word in kept and word.isalpha() and word not in VARIANTS_OF and not (word.isascii() and len(word) < 2)
    ]
    return sorted(found, key=lambda word: (counts.get(word, 0) < 2, counts.get(word, 0)))[:MOST_WORDS]


def _quoted(found: Sequence[str]) -> str:
    return f"word{'s' if len(found) > 1 else ''} {_listed(found)}"


def _listed(found: Sequence[str]) -> str:
    return ", ".join(f"'{word if len(word) <= _LONGEST else word[: _LONGEST - 1] + '…'}'" for word in found)
