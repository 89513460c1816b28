"""Image features of a labelled catalogue without images, drawn from a seed, and a matcher that learned from them.

Embeddings and histograms of shades lie as those of photos do: postings of one label group near each other, groups in
clusters of their own, most of a histogram's bins empty. Figures of quality say nothing here; time and memory do.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings, Features, unit_rows
from pricematch.catalogue.postings import Posting
from pricematch.formats.lightgbm_trees import TreeLearner
from pricematch.formats.manifest import Origin, TrainedOn
from pricematch.formats.matcher_files import TrainedVersion, read_matcher, write_matcher
from pricematch.learning.fit import TrainingData, fit_matcher
from pricematch.pairs.feature_names import SIGNALS
from pricematch.pairs.shades import COLOURS, GREY, LIGHTNESSES, SHADES
from pricematch.progress import silent

LEARNED_FROM = 4000
"""Postings that a matcher learns from, at most."""
_LATENT, _KINDS, _BLOBS = 48, 200, 6
_NEAR = 0.5


def drawn_features(postings: Sequence[Posting], dimension: int, seed: int = 0) -> Features:
    """Titles and hashes of n postings, and drawn embeddings [n, dimension] and shades [n, `SHADES`]."""
    rng = np.random.default_rng(seed)
    groups = group_numbers(postings)
    embeddings = {"image": _embeddings(groups, dimension, rng), "colours": _shades(groups, rng)}
    digests = [rng.bytes(32) for _ in postings]
    return Features.of([it.title for it in postings], [it.image_phash for it in postings], embeddings, digests)


def group_numbers(postings: Sequence[Posting]) -> NDArray[np.intp]:
    """The number of each posting's label group; a posting without one is a group of its own."""
    labels = [it.label_group or f"alone {it.posting_id}" for it in postings]
    return np.unique(labels, return_inverse=True)[1].astype(np.intp)


def drawn_matcher(models: Path, postings: Sequence[Posting], features: Features, threads: int) -> TrainedVersion:
    """The matcher of hash, title and image in a folder; where there is none it is learned from the first postings."""
    if not (models / "matcher" / "1").is_dir():
        models.mkdir(parents=True, exist_ok=True)
        rows, groups = np.arange(min(LEARNED_FROM, len(postings))), group_numbers(postings)
        data = TrainingData(features.select(rows), SIGNALS, groups[rows], np.ones(len(rows), np.bool_))
        fitted = fit_matcher(data, TreeLearner(0, threads), 0, silent)
        about = {
            "version": "1",
            "created": "2026-01-01T00:00:00+00:00",
            "seed": 0,
            "encoder": Origin(name="drawn", version="1", weights_digest=""),
            "colours": "2",
            "held_out": [],
            "briers": {},
            "counts": {},
            "trained_on": TrainedOn(share=1, seed=0, groups=()),
            "catalogue_digest": "",
            "libraries": {},
        }
        write_matcher(models, Path(tempfile.mkdtemp(dir=models)), fitted.model, fitted.thresholds, about)
    return read_matcher(models, threads=threads)


def seen_again(shades_or_embedding: NDArray[np.float32], rng: np.random.Generator) -> Embeddings:
    """The embedding [1, d] of another photo of the same product; what is 0 in a histogram stays so."""
    noise = 1 + 0.2 * rng.normal(size=len(shades_or_embedding))
    return unit_rows((shades_or_embedding * noise)[np.newaxis], len(shades_or_embedding))


def _embeddings(groups: NDArray[np.intp], dimension: int, rng: np.random.Generator) -> Embeddings:
    count = int(groups.max(initial=-1)) + 1
    kinds = rng.normal(size=(_KINDS, _LATENT))
    centres = kinds[rng.integers(_KINDS, size=count)] + rng.normal(size=(count, _LATENT))
    spread = rng.normal(size=(_LATENT, dimension)) / np.sqrt(np.arange(1, _LATENT + 1))[:, np.newaxis]
    latent = 0.5 + centres[groups] + _NEAR * rng.normal(size=(len(groups), _LATENT))
    return unit_rows(latent @ spread + 0.2 * rng.normal(size=(len(groups), dimension)), dimension)


def _shades(groups: NDArray[np.intp], rng: np.random.Generator) -> Embeddings:
    """Each image a few blobs, grey or of neighbouring hues, over some steps of lightness."""
    count, steps = int(groups.max(initial=-1)) + 1, np.arange(LIGHTNESSES)
    colours = np.where(rng.random((count, _BLOBS)) < 0.3, GREY, 1 + rng.integers(COLOURS, size=(count, _BLOBS)))
    colours[:, 0] = np.where(rng.random(count) < 0.6, GREY, colours[:, 0])
    lightness = 10 * rng.beta(2, 1, size=(count, _BLOBS))
    weights = rng.dirichlet(np.full(_BLOBS, 0.7), size=count)
    found = np.zeros((len(groups), LIGHTNESSES, 1 + COLOURS), np.float32)
    row = np.arange(len(groups))
    for blob in range(_BLOBS):
        centre = lightness[groups, blob] + 0.6 * rng.normal(size=len(groups))
        width = 0.6 + rng.random(len(groups))
        share = weights[groups, blob] * np.exp(0.6 * rng.normal(size=len(groups)))
        over = np.exp(-(((steps - centre[:, np.newaxis]) / width[:, np.newaxis]) ** 2)) * share[:, np.newaxis]
        over[over < 1e-4] = 0
        colour = colours[groups, blob]
        for shift, part in ((0, 0.7), (1, 0.2), (-1, 0.1)):
            beside = np.where(colour == GREY, GREY, 1 + (colour - 1 + shift) % COLOURS)
            found[row, :, beside] += part * over
    found[:, :, GREY] += 1e-3
    return unit_rows(np.sqrt(found.reshape(len(groups), SHADES)), SHADES)
