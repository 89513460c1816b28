"""Names of the pair features of some signals, by which models and manifests know them."""

from collections.abc import Sequence

from pricematch.catalogue.evidence import evidence_names
from pricematch.catalogue.fields import Field
from pricematch.pairs.image_retrievers import IMAGE_RETRIEVERS
from pricematch.pairs.neighbours import RANK_FEATURES
from pricematch.pairs.title_features import WORDS
from pricematch.titles.comparison import SUMMARY

SIGNALS = ("hash", "title", "image")
SCALED = "image_scaled"
"""Name of the feature of embeddings that means the same in every shop, see `scaled_similarities`; the last one of
signals."""


def pair_feature_names(signals: Sequence[str], *, scaled: bool = True, fields: Sequence[Field] = ()) -> tuple[str, ...]:
    """Names of the pair features of some signals and evidence fields, in order.

    `scaled` is false for models of versions without it.
    """
    retrievers = {"hash": ("hash",), "title": ("words", "grams", "blend"), "image": IMAGE_RETRIEVERS}
    ranks = [f"{name}_{what}" for signal in signals for name in retrievers[signal] for what in RANK_FEATURES]
    titles = [*WORDS, *SUMMARY] if "title" in signals else []
    hashes = ["hash_repeats_low", "hash_repeats_high"] if "hash" in signals else []
    more = [SCALED] if scaled and "image" in signals else []
    return ("catalogue_size", *ranks, *titles, *hashes, "same_image", *more, *evidence_names(fields))
