"""Drink cans and milk cartons."""

import numpy as np

from pricematch.sample.articles.label import print_label, taste
from pricematch.sample.canvas import Canvas
from pricematch.sample.colours import STEEL, WHITE, mix
from pricematch.sample.lights import metal, ramp, round_body
from pricematch.sample.outlines import ellipse, moved, rectangle, symmetric
from pricematch.sample.paints import blend, flat
from pricematch.sample.products import Product


def draw_can(canvas: Canvas, product: Product) -> None:
    """An aluminium can; the larger one is slimmer and taller."""
    half, top = 190 - 35 * product.growth, 200 - 100 * product.growth
    ground, colour = product.colour.rgb, taste(product)
    body = symmetric(
        [
            *((half - 34, top + 22), (half, top + 75), (half, top + 90)),
            *((half, 880), (half, 896), (half - 30, 940), (half - 40, 950), (0, 956)),
        ],
        steps=6,
    )
    canvas.fill(body, flat(STEEL))
    canvas.shine(body, metal(500 - half, 500 + half))
    print_area = symmetric([(half - 14, top + 50), (half, top + 75), (half, 896), (half - 12, 918), (0, 926)])
    lower = mix(colour, ground, 0.25) if product.design in {0, 3} else ground
    canvas.fill(print_area, blend(ground, lower, (0, top + 200), (0, 930)))
    print_label(canvas, (500 - 0.72 * half, top + 100, 500 + 0.72 * half, 880), product, ground)
    canvas.shine(print_area, round_body(500 - half, 500 + half, 0.6))
    lid = ellipse((500, top + 22), half - 32, 0.17 * half)
    canvas.fill(lid, blend(mix(STEEL, WHITE, 0.7), mix(STEEL, (0, 0, 0), 0.25), (500 - half, 0), (500 + half, 0)))
    canvas.stroke(lid, 6, flat(mix(STEEL, WHITE, 0.5)))
    canvas.fill(ellipse((500, top + 23), half - 58, 0.12 * half), flat(mix(STEEL, (0, 0, 0), 0.18)))
    canvas.fill(ellipse((500, top + 19), 0.24 * half, 0.055 * half), flat(mix(STEEL, WHITE, 0.5)))


def draw_carton(canvas: Canvas, product: Product) -> None:
    """A carton with a gabled or a flat top, seen from its corner."""
    top, left, edge, right = 330 - 110 * product.growth, 290.0, 610.0, 735.0
    ground, colour = product.colour.rgb, taste(product)
    front, side = rectangle(left, top, edge, 945), np.array([(edge, top), (right, top - 30), (right, 900), (edge, 945)])
    canvas.fill(front, blend(ground, mix(ground, WHITE, 0.25), (0, top), (0, 945)))
    canvas.fill(side, flat(mix(ground, colour, 0.6)))
    canvas.shine(side, ramp((edge, 0), (right, 0), 0.80, 0.62))
    print_label(canvas, (left + 18, top + 24, edge - 18, 925), product, ground)
    for row in range(9):
        y = top + 190 + 34 * row
        canvas.stroke(np.array([(edge + 22, y), (right - 22, y - 12)]), 6, flat(WHITE), opacity=0.45)
    canvas.shine(front, ramp((left, top), (edge, 945), 1.06, 0.93))
    if product.design < 2:
        _gable(canvas, product, top, (left, edge, right))
    else:
        lid = np.array([(left, top), (left + 118, top - 52), (right, top - 30), (edge, top)])
        canvas.fill(lid, flat(mix(ground, WHITE, 0.45)))
        straw = np.array([(edge - 120, top - 22), (edge - 90, top - 170), (edge - 20, top - 200)])
        canvas.stroke(straw, 15, flat(mix(colour, WHITE, 0.35)))
        canvas.stroke(moved(straw, -4, 0), 4, flat(WHITE), opacity=0.7)


def _gable(canvas: Canvas, product: Product, top: float, edges: tuple[float, float, float]) -> None:
    left, edge, right = edges
    colour = taste(product)
    slope = np.array([(left, top), (left + 52, top - 120), (edge + 62, top - 132), (edge, top)])
    flank = np.array([(edge, top), (edge + 62, top - 132), (right, top - 30)])
    ridge = np.array([(left + 52, top - 120), (left + 52, top - 172), (edge + 62, top - 186), (edge + 62, top - 132)])
    canvas.fill(slope, flat(colour))
    canvas.shine(slope, ramp((0, top - 130), (0, top), 1.18, 0.95))
    canvas.fill(flank, flat(mix(colour, (0, 0, 0), 0.35)))
    canvas.fill(ridge, flat(mix(colour, WHITE, 0.3)))
    canvas.fill(ellipse((470, top - 55), 48, 34), flat(mix(STEEL, (0, 0, 0), 0.25)))
    canvas.fill(ellipse((470, top - 66), 46, 32), flat(mix(WHITE, colour, 0.12)))
    canvas.stroke(ellipse((470, top - 66), 34, 22), 4, flat(STEEL))
