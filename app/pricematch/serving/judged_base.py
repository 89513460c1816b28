"""A judged catalogue kept on disk, so that a start judges only what has changed since."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pricematch import __path__ as core
from pricematch.catalogue.features import Hashes
from pricematch.catalogue.postings import Posting
from pricematch.formats.code_digest import code_digest
from pricematch.formats.kept_objects import KeptObjects
from pricematch.formats.manifest import MANIFEST
from pricematch.matching.index import MatchIndex
from pricematch.pairs.pair_features import PairFeatureExtractor
from pricematch.pairs.profiles import Profiles, TitleProfiles
from pricematch.pairs.rank_features import Neighbours
from pricematch.pairs.retrievers import HashSpace, ImageSpace
from pricematch.pairs.scored_pairs import ScoredPairs
from pricematch.pairs.title_features import TitleWords
from pricematch.pairs.title_retrievers import BlendSpace, TitleSpace
from pricematch.search.sparse import SparseIndex
from pricematch.serving.loaded_models import LoadedModels
from pricematch.titles.comparison import TitleAttributes
from pricematch.titles.vectors import TfIdf, grams, words

FILE = "judged.npz"


@dataclass(frozen=True, eq=False)
class JudgedBase:
    """Postings that were judged together.

    Attributes:
        said: what they were, by posting_id, see `says`; in the order of their rows.
        index: of them.
    """

    said: Mapping[str, int]
    index: MatchIndex


_KEPT = KeptObjects(
    [
        JudgedBase,
        MatchIndex,
        PairFeatureExtractor,
        ScoredPairs,
        Profiles,
        TitleProfiles,
        TitleAttributes,
        Neighbours,
        HashSpace,
        Hashes,
        ImageSpace,
        TitleSpace,
        BlendSpace,
        TitleWords,
        TfIdf,
        SparseIndex,
    ],
    [grams, words],
)


def says(posting: Posting) -> int:
    """63 bits of a digest of all of a posting that it is judged by."""
    text = repr((posting.title, posting.image, posting.image_phash)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def load_base(data: Path, held: LoadedModels) -> JudgedBase | None:
    """What the same models judged last; None where they have not, or the file is damaged."""
    if held.matcher is None:
        return None
    found = _KEPT.load(data / FILE, _key(held), {"model": held.matcher.model})
    return found if isinstance(found, JudgedBase) else None


def save_base(data: Path, held: LoadedModels, postings: Sequence[Posting], index: MatchIndex) -> None:
    """Keep the index of these postings, by their rows; raises SettingsError where the folder is full."""
    base = JudgedBase({posting.posting_id: says(posting) for posting in postings}, index)
    _KEPT.save(data / FILE, _key(held), base, {"model": index.model})


@cache
def _code() -> str:
    """A digest of the code that runs: taken once, since what is on disk may be a newer one by and by."""
    return code_digest(Path(core[0]))


def _key(held: LoadedModels) -> str:
    """Names all that judgements depend on beside the postings: code, matcher, encoders."""
    if held.matcher is None:
        raise ValueError("expected a trained matcher")
    digest = hashlib.sha256(_code().encode())
    digest.update((held.matcher.path / MANIFEST).read_bytes())
    for name, encoder in sorted(held.retrieved.items()):
        digest.update(f"{name}={encoder.key}\n".encode())
    return digest.hexdigest()
