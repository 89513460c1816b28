"""The image of a sweep."""

import io

import numpy as np
from PIL import Image

from pricematch.clustering.assignment import METHODS
from pricematch.evaluation.clustering_sweep import SweepRecord
from pricematch.reports.sweep import draw_sweep

RECORDS = [
    SweepRecord(method, eps, f1 + place / 100, 1, 1, 1, 1)
    for place, method in enumerate(METHODS)
    for eps, f1 in ((0.001, 0.4), (0.002, 0.6), (0.003, 0.5))
]


def pixels(png: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def test_each_method_has_a_line_of_its_own_colour() -> None:
    colours = {tuple(colour) for colour in pixels(draw_sweep(RECORDS, 9)).reshape(-1, 3).tolist()}
    alone = {tuple(colour) for colour in pixels(draw_sweep(RECORDS[:3], 9)).reshape(-1, 3).tolist()}
    assert len(colours) > len(alone)


def test_the_same_records_give_the_same_bytes_and_others_do_not() -> None:
    assert (
        draw_sweep(RECORDS, 9) == draw_sweep(RECORDS, 9) != draw_sweep(RECORDS[::2], 9) != draw_sweep(RECORDS[::2], 8)
    )


def test_one_eps_and_one_method_is_an_image_too() -> None:
    assert pixels(draw_sweep(RECORDS[:1], 9)).min() == 0
