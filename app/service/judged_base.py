"""A judged catalogue kept on disk, so that a start judges only what has changed since."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from app.adapters.judgement_file import code_digest
from app.adapters.kept_objects import KeptObjects
from app.adapters.manifest import MANIFEST
from app.matching import __path__ as core
from app.matching.evidence.agreement import ProbabilityRows
from app.matching.evidence.reference import Reference
from app.matching.evidence.side import Side, Titled
from app.matching.evidence.spaces import HashSpace, ImageSpace
from app.matching.evidence.standing import Standing
from app.matching.evidence.title_space import BlendSpace, TitleSpace
from app.matching.evidence.titled import TitleWords
from app.matching.hashes import Hashes
from app.matching.pair_model import JudgedCatalogue
from app.matching.postings import Posting
from app.matching.title_blends import BlendedIndex
from app.matching.title_facts import TitleFacts
from app.matching.title_grams import TitleGrams, grams
from app.matching.title_index import VectorIndex
from app.matching.title_words import words
from app.service.held import Held

FILE = "judged.npz"


@dataclass(frozen=True, eq=False)
class JudgedBase:
    """Postings that were judged together.

    Attributes:
        said: what they were, by posting_id, see `says`; in the order of their rows.
        judged: they.
    """

    said: Mapping[str, int]
    judged: JudgedCatalogue


_KEPT = KeptObjects(
    [
        JudgedBase,
        JudgedCatalogue,
        Reference,
        Side,
        Titled,
        TitleFacts,
        Standing,
        ProbabilityRows,
        HashSpace,
        Hashes,
        ImageSpace,
        TitleSpace,
        BlendSpace,
        TitleWords,
        TitleGrams,
        VectorIndex,
        BlendedIndex,
    ],
    [grams, words],
)


def says(posting: Posting) -> int:
    """63 bits of a digest of all of a posting that it is judged by."""
    text = repr((posting.title, posting.image, posting.image_phash)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def load_base(data: Path, held: Held) -> JudgedBase | None:
    """What the same models judged last; None where they have not, or the file is damaged."""
    if held.matcher is None:
        return None
    found = _KEPT.load(data / FILE, _key(held), {"model": held.matcher.model})
    return found if isinstance(found, JudgedBase) else None


def save_base(data: Path, held: Held, postings: Sequence[Posting], judged: JudgedCatalogue) -> None:
    """Keep a judged catalogue of these postings, by their rows; raises SettingsError where the folder is full."""
    base = JudgedBase({posting.posting_id: says(posting) for posting in postings}, judged)
    _KEPT.save(data / FILE, _key(held), base, {"model": judged.model})


@cache
def _code() -> str:
    """A digest of the code that runs: taken once, since what is on disk may be a newer one by and by."""
    return code_digest(Path(core[0]))


def _key(held: Held) -> str:
    """Names all that judgements depend on beside the postings: code, matcher, encoders."""
    if held.matcher is None:
        raise ValueError("expected a trained matcher")
    digest = hashlib.sha256(_code().encode())
    digest.update((held.matcher.path / MANIFEST).read_bytes())
    for name, encoder in sorted(held.judged.items()):
        digest.update(f"{name}={encoder.key}\n".encode())
    return digest.hexdigest()
