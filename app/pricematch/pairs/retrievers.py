"""The retrievers of some signals."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pricematch.pairs.image_retrievers import IMAGE_RETRIEVERS
from pricematch.pairs.retriever import ParsedFeatures, Retriever
from pricematch.pairs.several_images import embedding_retriever, hash_retriever
from pricematch.pairs.title_retrievers import ExpandedTitleRetriever, TitleRetriever
from pricematch.titles.vectors import TfIdf, grams


def retrievers_of(
    parsed: ParsedFeatures,
    weighted: TfIdf | None,
    signals: Sequence[str],
    shares: csr_array | None,
    copies: NDArray[np.integer] | None = None,
) -> list[Retriever[Any]]:
    """The retrievers of some signals of a catalogue, in the order of their pair features.

    Args:
        parsed: features of n postings.
        weighted: the words of their titles; None where titles are no signal.
        signals: some of hash, title and image.
        shares: see `ExpandedTitleRetriever`; None: they are searched.
        copies: [n], see `TfIdf`.
    """
    hashes = hash_retriever(parsed.features) if "hash" in signals else None
    found: list[Retriever[Any]] = []
    for signal in signals:
        if signal == "hash" and hashes is not None:
            found.append(hashes)
        elif signal == "title" and weighted is not None:
            plain = TitleRetriever("grams", TfIdf(parsed.titles, grams, copies=copies))
            found += [TitleRetriever("words", weighted), plain, ExpandedTitleRetriever(plain, hashes, shares)]
        elif signal == "image":
            found += [embedding_retriever(name, parsed.features) for name in IMAGE_RETRIEVERS]
    return found
