"""Plush bears."""

import numpy as np

from pricematch.sample.canvas import Canvas
from pricematch.sample.colours import INK, WHITE, Rgb, mix, readable_on
from pricematch.sample.lights import ball, fuzz
from pricematch.sample.outlines import Point, ellipse, moved, smooth
from pricematch.sample.paints import flat
from pricematch.sample.products import Product


def draw_plush(canvas: Canvas, product: Product) -> None:
    """A sitting bear with a bow, or with a scarf; larger bears have longer bodies."""
    fur, accent = product.colour.rgb, product.accent.rgb
    pale = mix(fur, WHITE, 0.5)
    drop = 40 * (1 - product.growth)
    for x in (355, 645):
        _ball(canvas, (x, 215 + drop), 78, 78, fur)
        _ball(canvas, (x, 225 + drop), 42, 42, mix(pale, accent, 0.25))
    for x in (262, 738):
        _ball(canvas, (x, 640), 82, 150, fur)
    _ball(canvas, (500, 700), 222, 240, fur)
    _ball(canvas, (500, 730), 135, 150, pale)
    for x in (330, 670):
        _ball(canvas, (x, 850), 122, 104, fur)
        _ball(canvas, (x, 858), 66, 58, pale)
    _ball(canvas, (500, 345 + drop), 212, 188, fur)
    _ball(canvas, (500, 412 + drop), 96, 74, pale)
    _face(canvas, drop)
    _bow(canvas, accent, drop, scarf=product.design > 1)
    canvas.write(product.brand, (432, 700, 568, 750), mix(readable_on(pale), fur, 0.25), weight=0.035)


def _ball(canvas: Canvas, centre: Point, rx: float, ry: float, colour: Rgb) -> None:
    outline = ellipse(centre, rx, ry)
    canvas.stroke(outline, 8, flat(mix(colour, (0, 0, 0), 0.18)), blur=4)
    canvas.fill(outline, flat(colour))
    canvas.shine(outline, ball(centre, max(rx, ry), 0.05))
    canvas.shine(outline, fuzz(0.055, 11))


def _face(canvas: Canvas, drop: float) -> None:
    for x in (420, 580):
        canvas.fill(ellipse((x, 335 + drop), 21, 24), flat(INK))
        canvas.fill(ellipse((x - 7, 327 + drop), 7, 7), flat(WHITE))
    canvas.fill(ellipse((500, 382 + drop), 30, 21), flat(INK))
    canvas.fill(ellipse((492, 376 + drop), 9, 5), flat(WHITE), opacity=0.6)
    for x in (478, 522):
        canvas.stroke(ellipse((x, 420 + drop), 22, 20, (10, 170)), 6, flat(INK))


def _bow(canvas: Canvas, colour: Rgb, drop: float, *, scarf: bool) -> None:
    shade = mix(colour, (0, 0, 0), 0.3)
    y = 545 + 0.6 * drop
    if scarf:
        around = smooth([(330, y - 30), (420, y + 8), (500, y + 16), (580, y + 8), (670, y - 30)], closed=False)
        canvas.stroke(around, 52, flat(colour))
        canvas.stroke(np.array([(590, y), (625, y + 150)]), 58, flat(shade))
        canvas.stroke(moved(around, 0, 18), 8, flat(shade), blur=5)
        return
    for side in (-1, 1):
        wing = smooth([(500, y), (500 + side * 110, y - 56), (500 + side * 128, y), (500 + side * 106, y + 56)])
        canvas.fill(wing, flat(colour))
        canvas.stroke(np.array([(500 + side * 20, y), (500 + side * 96, y - 12)]), 9, flat(shade), blur=5)
    canvas.fill(ellipse((500, y), 32, 36), flat(shade))
