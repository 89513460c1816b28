"""The cache of a matcher's scored catalogue, so that a start searches and scores only what has changed since.

Plain arrays in one NumPy file: of the postings what the matcher compared, of searching and scoring them what was found.
A file of another version, another matcher or another encoder is ignored, as is a damaged one.
"""

import hashlib
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pricematch.catalogue.evidence import NO_EVIDENCE, EvidenceFields, EvidenceValues
from pricematch.catalogue.features import Embeddings, Features
from pricematch.catalogue.feedback import Feedback
from pricematch.catalogue.hashes import Hashes
from pricematch.catalogue.image_arrays import ImageArrays
from pricematch.catalogue.layers import Layer, Layered
from pricematch.catalogue.postings import Posting
from pricematch.encoding.versions import HASHING
from pricematch.formats.array_files import read_kept
from pricematch.formats.atomic_writes import whole_file
from pricematch.matching.nodes import Nodes, ScoredNodes
from pricematch.matching.probability import ProbabilitySearch
from pricematch.pairs.default_model import TaughtScorer, taught_pair_model
from pricematch.pairs.model import PairModel, ScoredPairs
from pricematch.pairs.neighbours import Neighbourhoods
from pricematch.serving.models import LoadedModels
from pricematch.store.folder import PRIVATE_FILE

FILE = "judged.npz"
FORMAT = 7
"""To be raised whenever the same postings get other pair features, candidates or bounds, or the arrays are others."""
_ARRAYS: Mapping[str, tuple[type[np.generic], int]] = {
    "key": (np.uint8, 1),
    "ids": (np.uint8, 1),
    "id_ends": (np.int64, 1),
    "fingerprints": (np.int64, 1),
    "titles": (np.uint8, 1),
    "title_ends": (np.int64, 1),
    "hashes": (np.uint64, 1),
    "hashed": (np.bool_, 1),
    "images": (np.uint64, 1),
    "stock": (np.bool_, 1),
    "more_rows": (np.int64, 1),
    "more_ends": (np.int64, 1),
    "more_hashes": (np.uint64, 1),
    "more_hashed": (np.bool_, 1),
    "more_images": (np.uint64, 1),
    "more_stock": (np.bool_, 1),
    "numbers": (np.float64, 2),
    "texts": (np.uint64, 3),
    "keys": (np.uint64, 1),
    "similarities": (np.float64, 3),
    "shares": (np.float32, 1),
    "share_columns": (np.int32, 1),
    "share_ends": (np.int64, 1),
    "left": (np.int32, 1),
    "right": (np.int32, 1),
    "first": (np.float64, 1),
    "probabilities": (np.float64, 1),
    "weights": (np.float64, 1),
    "verdicts": (np.int64, 1),
    "taught": (np.int64, 1),
}
"""Dtype and number of dimensions by name. Of texts the UTF-8 bytes stand behind each other, with the end of each."""


@dataclass(frozen=True, eq=False)
class ScoredCatalogue:
    """n postings that were scored together, and what was found.

    Attributes:
        fingerprints: `fingerprint` by posting_id, in the order of the rows.
        titles: n.
        images: hashes and image keys of all their images, without embeddings.
        stock: which were stock images; of those neither hash nor image key is there.
        evidence: n, values of the fields that they were compared by.
        scored: what was found.
        model: that scored them: the matcher's, or what verdicts have made of it.
        verdicts: how many have.
        taught: `feedback_fingerprint` of these.
    """

    fingerprints: Mapping[str, int]
    titles: Sequence[str]
    images: Layered[ImageArrays]
    stock: Layered[NDArray[np.bool_]]
    evidence: EvidenceValues
    scored: ScoredNodes
    model: PairModel
    verdicts: int
    taught: int

    def features(self, embeddings: Mapping[str, Layered[Embeddings]]) -> Features:
        """The features of the postings.

        Args:
            embeddings: by retriever, of the images of these postings and of others behind them; of those that are gone
                or changed there may be none.
        """
        shown = Features.shown(self.titles, self.images, self.evidence)
        return shown.with_embeddings({name: _of_layers(of, self.images) for name, of in embeddings.items()})


def fingerprint(posting: Posting, evidence: EvidenceFields = NO_EVIDENCE) -> int:
    """63 bits of a digest of all of a posting that the matcher compares, evidence fields included."""
    compared = [*posting.more_images, *evidence.compared(posting.metadata)]
    counted = (len(posting.more_images),) if posting.more_images else ()
    return _digest(repr((posting.title, posting.image, posting.image_phash, *counted, *compared)))


def feedback_fingerprint(feedback: Feedback, posting_ids: Container[str]) -> int:
    """63 bits of a digest of all decisions on two postings that are both among some."""
    return _digest(repr([said for said in feedback if said[0] in posting_ids and said[1] in posting_ids]))


def load_scored(data: Path, models: LoadedModels, evidence: EvidenceFields = NO_EVIDENCE) -> ScoredCatalogue | None:
    """The catalogue that the same models scored last, by the same evidence; None where there is none.

    A file that another version wrote is none.
    """
    arrays = read_kept(data / FILE, list(_ARRAYS))
    if models.matcher is None or arrays is None:
        return None
    kept = dict(zip(_ARRAYS, arrays, strict=True))
    if any(kept[name].dtype != dtype or kept[name].ndim != ndim for name, (dtype, ndim) in _ARRAYS.items()):
        return None
    if kept["key"].tobytes() != _key(models, evidence):
        return None
    try:
        return _scored(kept, models.matcher.model, evidence)
    except (ValueError, IndexError):  # texts that are none, or arrays that do not fit each other
        return None


def save_scored(
    data: Path,
    models: LoadedModels,
    postings: Sequence[Posting],
    features: Features,
    stock: Layered[NDArray[np.bool_]],
    search: ProbabilitySearch,
) -> None:
    """Keep what was found among postings that were scored together.

    Args:
        data: the folder.
        models: that scored them.
        postings: by their rows.
        features: of the postings, as the index was built from them.
        stock: which of their images are stock images.
        search: of them, as they were scored together, with the feedback that has taught it.

    Raises:
        SettingsError: the folder cannot be written to, or is full.
    """
    scored, second = search.scored, search.index.model.second
    found, pairs, n = scored.found, scored.pairs, scored.found.similarities.shape[1]
    evidence = features.evidence or EvidenceValues.none((), len(postings))
    shares = csr_array((n, n), dtype=np.float32) if found.shares is None else found.shares
    more = features.with_embeddings({}).every
    ids, id_ends = _bytes([posting.posting_id for posting in postings])
    titles, title_ends = _bytes(features.titles)
    arrays: dict[str, Any] = {
        "key": np.frombuffer(_key(models, search.evidence), np.uint8),
        "ids": ids,
        "id_ends": id_ends,
        "fingerprints": np.array([fingerprint(posting, search.evidence) for posting in postings], np.int64),
        "titles": titles,
        "title_ends": title_ends,
        "hashes": features.hashes.values,
        "hashed": features.hashes.known,
        "images": features.images,
        "stock": stock.first,
        "more_rows": more.rows[len(postings) :],
        "more_ends": np.cumsum([len(layer) for layer in features.more], dtype=np.int64),
        "more_hashes": more.values.hashes.values[len(postings) :],
        "more_hashed": more.values.hashes.known[len(postings) :],
        "more_images": more.values.images[len(postings) :],
        "more_stock": stock.values[len(postings) :],
        "numbers": evidence.numbers,
        "texts": evidence.texts,
        "keys": scored.keys,
        "similarities": found.similarities,
        "shares": shares.data,
        "share_columns": shares.indices.astype(np.int32),
        "share_ends": shares.indptr[1:].astype(np.int64),
        "left": pairs.left,
        "right": pairs.right,
        "first": pairs.first,
        "probabilities": pairs.probabilities,
        "weights": second.weights if isinstance(second, TaughtScorer) else np.empty(0),
        "verdicts": np.array([search.verdicts]),
        "taught": np.array([feedback_fingerprint(search.feedback, {posting.posting_id for posting in postings})]),
    }
    with whole_file(data / FILE, PRIVATE_FILE) as file:
        np.savez(file, **arrays)


def _scored(kept: Mapping[str, NDArray[Any]], model: PairModel, fields: EvidenceFields) -> ScoredCatalogue:
    """The catalogue of arrays of the right dtypes; raises ValueError, IndexError where they do not fit each other."""
    postings, pairs, n = len(kept["fingerprints"]), len(kept["left"]), kept["similarities"].shape[1]
    sizes = dict.fromkeys(("id_ends", "title_ends", "hashes", "hashed", "images", "stock", "keys"), postings)
    sizes |= dict.fromkeys(("right", "first", "probabilities"), pairs) | {"share_ends": n, "verdicts": 1, "taught": 1}
    sizes |= dict.fromkeys(("more_hashes", "more_hashed", "more_images", "more_stock"), len(kept["more_rows"]))
    if any(len(kept[name]) != size for name, size in sizes.items()) or n != len(Nodes.of(kept["keys"])[0]):
        raise ValueError("expected arrays of as many postings, and of as many pairs")
    evidence = EvidenceValues.none(fields.fields, postings)
    if kept["numbers"].shape != evidence.numbers.shape or kept["texts"].shape != evidence.texts.shape:
        raise ValueError("expected values of these fields")
    evidence = EvidenceValues(evidence.fields, kept["numbers"], kept["texts"])
    ids = _texts(kept["ids"], kept["id_ends"])
    left, right = kept["left"], kept["right"]
    if pairs and not (min(left.min(), right.min()) >= 0 and max(left.max(), right.max()) < n):
        raise ValueError("expected pairs of these nodes")
    images, rows = _images(kept, "more_hashes", "more_hashed", "more_images"), kept["more_rows"].astype(np.intp)
    ends = [0, *kept["more_ends"].tolist()]
    pieces = [slice(*of) for of in pairwise(ends)]
    if sorted(ends) != ends or ends[-1] != len(rows) or any((np.diff(rows[piece]) <= 0).any() for piece in pieces):
        raise ValueError("expected images in layers")
    if len(rows) and not 0 <= rows.min() <= rows.max() < postings:
        raise ValueError("expected images of these postings")
    more = tuple(Layer(rows[piece], images[np.arange(len(rows))[piece]]) for piece in pieces)
    stock = tuple(Layer(rows[piece], kept["more_stock"][piece]) for piece in pieces)
    shares = csr_array((kept["shares"], kept["share_columns"], np.append(0, kept["share_ends"])), shape=(n, n))
    return ScoredCatalogue(
        dict(zip(ids, kept["fingerprints"].tolist(), strict=True)),
        _texts(kept["titles"], kept["title_ends"]),
        Layered(_images(kept, "hashes", "hashed", "images"), more),
        Layered(kept["stock"], stock),
        evidence,
        ScoredNodes(
            kept["keys"],
            Neighbourhoods(kept["similarities"], shares if "title" in model.signals else None, (left, right)),
            ScoredPairs(left, right, kept["first"], kept["probabilities"]),
        ),
        taught_pair_model(model, kept["weights"].tolist()) if len(kept["weights"]) else model,
        int(kept["verdicts"][0]),
        int(kept["taught"][0]),
    )


def _images(kept: Mapping[str, NDArray[Any]], hashes: str, hashed: str, keys: str) -> ImageArrays:
    return ImageArrays(Hashes(kept[hashes], kept[hashed]), {}, kept[keys])


def _of_layers(embeddings: Layered[Embeddings], images: Layered[ImageArrays]) -> Layered[Embeddings]:
    """The embeddings of some images, in their layers; zeros where there is none."""
    first, more = embeddings.first[: len(images)], list[Layer[Embeddings]]()
    for place, layer in enumerate(images.more):
        found = np.zeros((len(layer), first.shape[1]), np.float32)
        if place < len(embeddings.more):
            held, places = embeddings.more[place].places(layer.rows)
            found[held] = embeddings.more[place].values[places]
        more.append(Layer(layer.rows, found))
    return Layered(first, tuple(more))


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") >> 1


def _bytes(texts: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Texts behind each other as bytes, and the end of each, int64 [n]."""
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    ends = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)), dtype=np.int64)
    return np.frombuffer(b"".join(encoded), np.uint8), ends


def _texts(encoded: NDArray[np.uint8], ends: NDArray[np.int64]) -> list[str]:
    """The texts that `_bytes` encoded; raises ValueError."""
    whole, start, texts = encoded.tobytes(), 0, list[str]()
    for end in ends.tolist():
        texts.append(whole[start:end].decode("utf-8", "surrogatepass"))
        start = end
    return texts


def _key(models: LoadedModels, evidence: EvidenceFields) -> bytes:
    """A digest of all that scores depend on besides the postings: format, matcher, hashes, encoders, evidence."""
    if models.matcher is None:
        raise ValueError("expected a matcher")
    digest = hashlib.sha256(f"{FORMAT} {HASHING}\n".encode())
    digest.update(models.matcher.manifest.model_dump_json().encode())
    for name, encoder in sorted(models.retrieved.items()):
        digest.update(f"{name}={encoder.key}\n".encode())
    for field in evidence.fields:
        digest.update(repr((field.name, field.type, field in evidence.read)).encode() + b"\n")
    return digest.digest()
