"""Boxes of tea bags and pouches of powder."""

import numpy as np

from pricematch.sample.articles.label import print_label, taste
from pricematch.sample.canvas import Canvas
from pricematch.sample.colours import WHITE, mix
from pricematch.sample.lights import ramp, round_body
from pricematch.sample.outlines import moved, rectangle, symmetric
from pricematch.sample.paints import blend, flat, pattern
from pricematch.sample.products import Product


def draw_tea_box(canvas: Canvas, product: Product) -> None:
    """A cardboard box seen from its corner; more bags make it wider."""
    left, edge, top = 250 - 60 * product.growth, 640 + 40 * product.growth, 330.0
    right, ground, colour = edge + 120, product.colour.rgb, taste(product)
    front = rectangle(left, top, edge, 940)
    side = np.array([(edge, top), (right, top - 70), (right, 850), (edge, 940)])
    lid = np.array([(left, top), (left + 130, top - 70), (right, top - 70), (edge, top)])
    canvas.fill(front, blend(ground, mix(ground, colour, 0.18), (left, top), (left, 940)))
    canvas.fill(side, flat(mix(ground, colour, 0.75)))
    canvas.shine(side, ramp((edge, 0), (right, 0), 0.82, 0.62))
    canvas.fill(lid, pattern("diagonal", mix(ground, WHITE, 0.3), mix(colour, WHITE, 0.3), 60))
    canvas.shine(lid, ramp((0, top - 70), (0, top), 1.12, 1.0))
    canvas.write(product.brand.upper(), (edge + 28, top + 60, right - 28, 780), WHITE, turn=1)
    print_label(canvas, (left + 26, top + 24, edge - 26, 920), product, ground)
    canvas.stroke(np.array([(edge, top), (edge, 940)]), 3, flat(WHITE), opacity=0.35)
    canvas.shine(front, ramp((left, top), (edge, 940), 1.05, 0.9))


def draw_pouch(canvas: Canvas, product: Product) -> None:
    """A stand-up pouch with sealed edges; more powder makes it larger."""
    half, top = 215 + 65 * product.growth, 300 - 140 * product.growth
    ground, colour = product.colour.rgb, taste(product)
    bag = symmetric(
        [
            *((half - 6, top), (half - 6, top), (half - 10, top + 60), (half - 24, top + 210)),
            *((half - 12, 700), (half, 880), (half - 4, 925), (0.5 * half, 948), (0, 954)),
        ]
    )
    canvas.fill(bag, blend(ground, colour, (0, top + 380), (0, 960)))
    print_label(canvas, (500 - 0.72 * half, top + 90, 500 + 0.72 * half, 890), product, ground)
    canvas.shine(bag, round_body(490 - half, 510 + half, 0.28))
    for x0, y0, x1, y1 in (
        (-0.9, 0.16, -0.55, 0.34),
        (0.92, 0.2, 0.6, 0.42),
        (-0.92, 0.95, -0.5, 0.8),
        (0.9, 0.9, 0.55, 0.75),
    ):
        crease = np.array([(500 + x0 * half, top + y0 * (950 - top)), (500 + x1 * half, top + y1 * (950 - top))])
        canvas.stroke(crease, 16, flat(WHITE), opacity=0.35, blur=10, inside=True)
        canvas.stroke(moved(crease, 6, 16), 14, flat((0, 0, 0)), opacity=0.22, blur=10, inside=True)
    seal = rectangle(506 - half, top, 494 + half, top + 62)
    canvas.shine(seal, ramp((0, top), (0, top + 62), 1.1, 0.82))
    for x in range(int(512 - half), int(490 + half), 11):
        canvas.stroke(np.array([(x, top + 4), (x, top + 56)]), 2.5, flat((0, 0, 0)), opacity=0.10, inside=True)
    canvas.stroke(np.array([(506 - half, top + 76), (494 + half, top + 76)]), 5, flat(WHITE), opacity=0.5, inside=True)
