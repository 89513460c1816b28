"""Sentences on pairs of postings, by family of features: for the same product, and against it.

Each is true of its pair. Families are those of `explanation.family_of`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log

from pricematch.catalogue.evidence import evidence_families
from pricematch.catalogue.fields import Field
from pricematch.catalogue.hashes import BITS
from pricematch.pairs.title_sentences import Both, facts_sentences, title_sentences
from pricematch.titles.comparison import read_together
from pricematch.titles.normalise import ParsedTitle

NEAR_BITS = 8
"""Bits by which the hashes of nearly the same image differ, at most.

Of images encoded again, made smaller or written across, 96 to 100 % differ by this little; of those cropped by 2 to
10 % about 60 %, framed 40 to 55 %, under a banner 30 to 45 %. So do 0.1 % of photos of different products that look
alike, and none in a hundred other photos of the same product. Two bits more find another 10 to 15 % of the cropped and
marked, but also the back and the front of a jacket. The cosine of embeddings is no help: where copies end and other
photos begin depends on the encoder, and each of two encoders mixes them up.
"""
_ALIKE_BITS = 16
"""Bits up to which images are called alike; unlike ones differ in about 32."""
_NEAREST, _COMMON = 10, 3
_BETTER = 0.02
_ALIKE_IMAGES = 0.5
_LONGEST = 24
_TWICE, _LITTLE = 2, 1.25
"""How many times a number is another where that is told as a multiple, and where it may speak for a pair."""
_ROUND, _MOST_TIMES = 10, 1000


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
        facts, contradicted = facts_sentences(*read_together(title, other))
        both = {
            "hash": _hash(known),
            "image": _image(known, "image", "images look alike", "other images look more alike"),
            "colours": _image(known, "colours", "images have the same colours", "other images have colours more alike"),
            "title": title_sentences(known, title, other, counts),
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


def _hash(values: Mapping[str, float]) -> Both:
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


def _image(values: Mapping[str, float], retriever: str, alike: str, unlike: str) -> Both:
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


def _common_title(values: Mapping[str, float]) -> Both:
    """On how many postings have the more common of both titles."""
    if (count := values.get("title_repeats_high", 0)) < _COMMON:
        return None, None
    which = "this title is" if values["same_title"] else "one of the titles is"
    return None, f"{which} common: {count:.0f} postings have it"


def _common_hash(values: Mapping[str, float]) -> Both:
    """On how many postings have the more common of both hashes."""
    if (count := values.get("hash_repeats_high", 0)) < _COMMON:
        return None, None
    which = "this image is" if values["hash_similarity"] == 1 else "one of the images is"
    return None, f"{which} common: {count:.0f} postings have its hash"


def _neighbours(values: Mapping[str, float]) -> Both:
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


def _evidence(values: Mapping[str, float], family: str, field: Field) -> Both:
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
