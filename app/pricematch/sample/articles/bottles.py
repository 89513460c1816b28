"""Shampoo bottles and face-wash tubes."""

import numpy as np

from pricematch.sample.articles.label import print_label, taste
from pricematch.sample.canvas import Canvas
from pricematch.sample.colours import WHITE, mix
from pricematch.sample.lights import ramp, round_body
from pricematch.sample.outlines import ellipse, rectangle, smooth, symmetric
from pricematch.sample.paints import blend, flat
from pricematch.sample.products import Product


def draw_shampoo(canvas: Canvas, product: Product) -> None:
    """A bottle with a flip cap or a pump; larger contents are wider and taller."""
    half, top = 140 + 45 * product.growth, 330 - 70 * product.growth
    waist = half - (26 if product.design > 1 else 0)
    body = symmetric(
        [
            *((46, top), (50, top + 8), (half - 14, top + 62), (half, top + 120)),
            *((waist, 640), (half, 880), (half, 920), (half - 16, 950), (0, 952)),
        ]
    )
    ground, cap = product.colour.rgb, taste(product)
    _cap(canvas, product, top)
    canvas.fill(body, blend(mix(ground, WHITE, 0.1), ground, (0, top), (0, 950)))
    canvas.shine(
        rectangle(500 - half, top + 95, 500 + half, top + 112), ramp((0, top + 95), (0, top + 112), 0.93, 0.95)
    )
    print_label(canvas, (500 - 0.74 * waist, top + 140, 500 + 0.74 * waist, 915), product, ground)
    canvas.stroke(ellipse((500, 925), half - 12, 14, (0, 180)), 6, flat(mix(cap, WHITE, 0.3)), opacity=0.5)
    canvas.shine(body, round_body(500 - half, 500 + half, 0.42))


def _cap(canvas: Canvas, product: Product, top: float) -> None:
    cap = taste(product) if product.design % 2 == 0 else product.accent.rgb
    if product.design < 2:
        lid = rectangle(430, top - 110, 570, top + 12, 16)
        canvas.fill(lid, flat(cap))
        canvas.stroke(np.array([(432, top - 40), (568, top - 40)]), 4, flat(mix(cap, (0, 0, 0), 0.4)))
        canvas.shine(lid, round_body(430, 570))
        return
    parts = (
        rectangle(488, top - 110, 512, top - 20),
        smooth([(400, top - 150), (400, top - 150), (420, top - 166), (545, top - 166), (560, top - 130)])
        if product.design == 2
        else rectangle(395, top - 160, 565, top - 118, 18),
        rectangle(448, top - 40, 552, top + 14, 10),
    )
    for part in parts:
        canvas.fill(part, flat(cap))
        canvas.shine(part, round_body(float(part[:, 0].min()), float(part[:, 0].max())))


def draw_face_wash(canvas: Canvas, product: Product) -> None:
    """A squeeze tube that stands on its cap."""
    half, top = 150 + 30 * product.growth, 190 - 80 * product.growth
    ground, cap = product.colour.rgb, taste(product)
    tube = symmetric(
        [
            *((half + 16, top), (half + 16, top), (half + 14, top + 50), (half, top + 180)),
            *((half - 22, 620), (0.66 * half, 835), (0.66 * half, 835), (0, 838)),
        ]
    )
    lid = symmetric([(0.70 * half, 828), (0.70 * half, 828), (0.66 * half, 945), (0.60 * half, 955), (0, 956)])
    canvas.fill(lid, flat(cap))
    canvas.shine(lid, round_body(500 - 0.7 * half, 500 + 0.7 * half))
    canvas.fill(tube, blend(mix(cap, ground, 0.55), ground, (0, top), (0, top + 330)))
    print_label(canvas, (500 - 0.66 * half, top + 75, 500 + 0.66 * half, 805), product, ground)
    canvas.shine(tube, round_body(500 - half, 500 + half, 0.36))
    crimp = rectangle(484 - half, top, 516 + half, top + 46)
    canvas.shine(crimp, ramp((0, top), (0, top + 46), 1.12, 0.86))
    for y in range(int(top) + 8, int(top) + 44, 9):
        canvas.stroke(np.array([(486 - half, y), (514 + half, y)]), 2.5, flat((0, 0, 0)), opacity=0.12, inside=True)
