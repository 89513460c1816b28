"""Backpacks."""

import numpy as np

from pricematch.sample.canvas import Canvas
from pricematch.sample.colours import INK, STEEL, WHITE, mix, readable_on
from pricematch.sample.lights import fuzz, ramp, round_body
from pricematch.sample.outlines import ellipse, mirrored, moved, rectangle, smooth, symmetric
from pricematch.sample.paints import flat, pattern
from pricematch.sample.products import Product


def draw_backpack(canvas: Canvas, product: Product) -> None:
    """A backpack from its front; more litres make it wider and taller."""
    half, top = 235 + 55 * product.growth, 230 - 60 * product.growth
    cloth, accent = product.colour.rgb, product.accent.rgb
    dark = mix(cloth, (0, 0, 0), 0.45)
    canvas.stroke(
        smooth([(440, top + 30), (455, top - 66), (545, top - 66), (560, top + 30)], closed=False), 26, flat(dark)
    )
    strap = smooth([(500 - half + 40, top + 190), (455 - half, 560), (478 - half, 860)], closed=False)
    for band in (strap, mirrored(strap)):
        canvas.stroke(band, 44, flat(dark))
    body = symmetric(
        [
            (120, top - 4),
            (half - 50, top + 70),
            (half - 8, top + 230),
            (half, 600),
            (half + 4, 860),
            (half - 30, 940),
            (0, 952),
        ]
    )
    canvas.fill(body, pattern(product.pattern, cloth, accent, 92))
    canvas.shine(body, round_body(490 - half, 510 + half, 0.12))
    zip_line = symmetric([(120, top + 40), (half - 78, top + 105), (half - 42, top + 250), (half - 38, 560)])[:33]
    for line in (zip_line, mirrored(zip_line)):
        canvas.stroke(line, 16, flat(mix(INK, cloth, 0.25)))
        canvas.stroke(line, 4, flat(STEEL), opacity=0.8)
    _pocket(canvas, product, half)
    patch = rectangle(410, top + 210, 590, top + 280, 10)
    canvas.fill(patch, flat(accent))
    canvas.write(product.brand, (425, top + 222, 575, top + 268), readable_on(accent), weight=0.035)
    canvas.shine(body, ramp((300, top), (640, 950), 1.10, 0.86))
    canvas.shine(body, fuzz(0.03, 3))


def _pocket(canvas: Canvas, product: Product, half: float) -> None:
    cloth, accent = product.colour.rgb, product.accent.rgb
    reach = half - 46
    pocket = rectangle(500 - reach, 610, 500 + reach, 915, 46)
    canvas.fill(moved(pocket, 0, 8), flat((0, 0, 0)), opacity=0.35, blur=12, inside=True)
    ground = accent if product.design == 2 else mix(cloth, (0, 0, 0), 0.10)
    canvas.fill(pocket, flat(ground))
    canvas.shine(pocket, ramp((0, 610), (0, 915), 1.1, 0.88))
    canvas.stroke(np.array([(510 - reach, 668), (490 + reach, 668)]), 14, flat(INK), opacity=0.85)
    canvas.stroke(np.array([(510 - reach, 668), (490 + reach, 668)]), 4, flat(STEEL))
    canvas.stroke(np.array([(480 + reach, 668), (484 + reach, 726)]), 9, flat(accent if product.design != 2 else WHITE))
    canvas.stroke(pocket, 4, flat(mix(ground, WHITE, 0.4)), opacity=0.5)
    if product.design == 1:
        canvas.fill(ellipse((500, 790), 62, 62), flat(accent))
    elif product.design == 3:
        for x in (430, 570):
            canvas.fill(rectangle(x - 16, 560, x + 16, 780, 6), flat(mix(INK, accent, 0.4)))
            canvas.fill(rectangle(x - 24, 720, x + 24, 760, 8), flat(STEEL))
