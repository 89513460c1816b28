"""Headphones and wrist watches."""

import numpy as np

from pricematch.sample.canvas import Canvas
from pricematch.sample.colours import GOLD, INK, STEEL, WHITE, Rgb, mix, readable_on
from pricematch.sample.lights import ball, metal, ramp, round_body
from pricematch.sample.outlines import Floats, ellipse, mirrored, moved, rectangle, smooth, turned
from pricematch.sample.paints import blend, flat
from pricematch.sample.products import Product


def draw_headphones(canvas: Canvas, product: Product) -> None:
    """Over-ear headphones from the front."""
    shell, accent = product.colour.rgb, product.accent.rgb
    band = smooth([(196, 590), (190, 400), (290, 190), (500, 120), (710, 190), (810, 400), (804, 590)], closed=False)
    canvas.stroke(band, 62, flat(mix(shell, (0, 0, 0), 0.25)))
    canvas.stroke(moved(band, -6, -8), 34, flat(shell), blur=6, inside=True)
    canvas.stroke(moved(band, -9, -14), 9, flat(WHITE), opacity=0.45, blur=4, inside=True)
    canvas.stroke(moved(band[16:33], 0, 36), 30, flat(mix(INK, shell, 0.2)), blur=2)
    for side in (False, True):
        cup, cushion, arm = _ear(product)
        cap = ellipse((252, 640), 62, 96) if product.design < 2 else rectangle(196, 560, 300, 720, 34)
        parts = [mirrored(part) if side else part for part in (cushion, cup, cap, arm)]
        canvas.fill(parts[0], flat((0.15, 0.15, 0.17)))
        canvas.shine(parts[0], ramp((0, 500), (0, 800), 1.25, 0.8))
        canvas.fill(parts[1], flat(shell))
        middle = (748.0, 640.0) if side else (252.0, 640.0)
        canvas.shine(parts[1], ball(middle, 190, 0.5))
        canvas.fill(parts[2], flat(accent))
        canvas.shine(parts[2], ball(middle, 130, 0.4))
        canvas.fill(parts[3], flat(STEEL))
        canvas.shine(parts[3], metal(float(parts[3][:, 0].min()), float(parts[3][:, 0].max())))
    canvas.write(product.brand[:1], (222, 600, 282, 680), readable_on(accent), weight=0.035)
    canvas.write(product.brand[:1], (718, 600, 778, 680), readable_on(accent), weight=0.035)


def _ear(product: Product) -> tuple[Floats, Floats, Floats]:
    if product.design % 2:
        cup, cushion = rectangle(150, 500, 330, 790, 70), rectangle(290, 490, 400, 800, 52)
    else:
        cup, cushion = ellipse((250, 640), 110, 158), ellipse((332, 640), 78, 164)
    return turned(cup, -4, (250, 640)), turned(cushion, -4, (250, 640)), rectangle(184, 440, 214, 545, 10)


def draw_watch(canvas: Canvas, product: Product) -> None:
    """A wrist watch laid flat, strap up and down."""
    strap, dial = product.colour.rgb, product.accent.rgb
    for part in (
        smooth([(418, 330), (418, 330), (430, 60), (442, 40), (558, 40), (570, 60), (582, 330), (582, 330)]),
        smooth([(418, 670), (418, 670), (432, 930), (460, 965), (540, 965), (568, 930), (582, 670), (582, 670)]),
    ):
        canvas.fill(part, flat(strap))
        canvas.shine(part, round_body(405, 595, 0.12))
        canvas.shine(part, ramp((0, 330), (0, 670), 1.05, 0.92))
    for y in range(760, 930, 34):
        canvas.fill(ellipse((500, y), 8, 6), flat(mix(strap, (0, 0, 0), 0.6)))
    for x in (430, 570):
        canvas.stroke(np.array([(x, 70), (x, 930)]), 3, flat(mix(strap, WHITE, 0.5)), opacity=0.5, inside=True)
    trim = GOLD if product.design % 2 else STEEL
    canvas.fill(rectangle(694, 480, 728, 520, 8), flat(mix(trim, (0, 0, 0), 0.2)))
    case = ellipse((500, 500), 202, 202) if product.design < 3 else rectangle(318, 318, 682, 682, 80)
    canvas.fill(case, flat(trim))
    canvas.shine(case, metal(298, 702))
    canvas.stroke(case, 5, flat(mix(trim, (0, 0, 0), 0.45)))
    face = ellipse((500, 500), 168, 168) if product.design < 3 else rectangle(350, 350, 650, 650, 60)
    canvas.fill(face, blend(mix(dial, WHITE, 0.18), mix(dial, (0, 0, 0), 0.25), (380, 360), (620, 640)))
    _dial(canvas, product, readable_on(dial), trim)
    canvas.fill(
        np.array([(380, 380), (450, 345), (640, 560), (600, 620)]), flat(WHITE), opacity=0.10, blur=6, inside=True
    )
    canvas.stroke(face, 7, flat(mix(trim, (0, 0, 0), 0.5)), opacity=0.8)


def _dial(canvas: Canvas, product: Product, ink: Rgb, trim: Rgb) -> None:
    mark = rectangle(496, 350, 504, 376)
    for hour in range(12):
        canvas.fill(turned(mark, 30.0 * hour, (500, 500)), flat(ink if hour % 3 else trim))
    canvas.write(product.brand.upper(), (440, 418, 560, 446), ink, weight=0.035)
    if product.design in {1, 2}:
        for x in (445, 555):
            canvas.stroke(ellipse((x, 540), 34, 34), 4, flat(ink), opacity=0.7)
            canvas.stroke(np.array([(x, 540), (x + 12, 518)]), 4, flat(trim))
    for angle, length, width in ((305.0, 92.0, 13.0), (62.0, 132.0, 9.0), (195.0, 138.0, 3.5)):
        hand = turned(np.array([(500.0, 516.0), (500.0, 500.0 - length)]), angle, (500, 500))
        canvas.stroke(moved(hand, 3, 5), width, flat((0, 0, 0)), opacity=0.3, blur=3)
        canvas.stroke(hand, width, flat(ink if width > 5 else (0.8, 0.2, 0.2)))
    canvas.fill(ellipse((500, 500), 11, 11), flat(trim))
