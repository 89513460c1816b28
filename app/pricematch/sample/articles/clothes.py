"""T-shirts."""

import numpy as np

from pricematch.sample.canvas import Canvas
from pricematch.sample.colours import mix
from pricematch.sample.lights import fuzz, ramp, round_body
from pricematch.sample.outlines import ellipse, mirrored, moved, smooth, symmetric
from pricematch.sample.paints import flat, pattern
from pricematch.sample.products import Product

_FOLDS = (
    ((268, 300), (330, 420), (350, 560)),
    ((300, 330), (420, 430), (480, 470)),
    ((285, 640), (340, 760), (330, 880)),
    ((420, 720), (440, 820), (410, 915)),
    ((200, 330), (250, 300), (270, 250)),
)


def draw_tshirt(canvas: Canvas, product: Product) -> None:
    """A T-shirt laid flat, with a pattern or a print on its chest."""
    sleeve = 330 if product.design < 3 else 380
    shirt = symmetric(
        [
            *((98, 118), (98, 118), (170, 136), (262, 190), (sleeve, 330), (402, 448), (402, 448), (290, 516)),
            *((290, 516), (236, 402), (236, 402), (244, 650), (254, 918), (254, 918), (120, 932), (0, 934)),
        ]
    )
    cloth, print_colour = product.colour.rgb, product.accent.rgb
    dark = mix(cloth, (0, 0, 0), 0.35)
    canvas.fill(ellipse((500, 118), 104, 34), flat(mix(cloth, (0, 0, 0), 0.45)))
    canvas.fill(shirt, pattern(product.pattern, cloth, print_colour, 62))
    neck = smooth([(398, 110), (398, 110), (430, 186), (500, 212), (570, 186), (602, 110), (602, 110), (500, 134)])
    canvas.fill(neck, flat(mix(cloth, (0, 0, 0), 0.45)))
    canvas.fill(ellipse((500, 112), 103, 24, (0, 180)), flat(mix(cloth, (0, 0, 0), 0.25)))
    collar = smooth([(396, 112), (428, 190), (500, 218), (572, 190), (604, 112)], closed=False)
    canvas.stroke(collar, 26, flat(mix(cloth, dark, 0.25)))
    canvas.stroke(collar, 3, flat(dark), opacity=0.6)
    canvas.write("L", (488, 140, 512, 164), mix(cloth, (1, 1, 1), 0.6))
    if product.pattern == "plain":
        _print(canvas, product)
    for line in _FOLDS:
        for fold in (smooth(line, closed=False), mirrored(smooth(line, closed=False))):
            canvas.stroke(fold, 20, flat((0, 0, 0)), opacity=0.30, blur=14, inside=True)
            canvas.stroke(moved(fold, 18, 4), 16, flat((1, 1, 1)), opacity=0.16, blur=12, inside=True)
    hem = np.array([(250, 900), (500, 914), (750, 900)])
    canvas.stroke(hem, 3, flat(dark), opacity=0.55, inside=True)
    seam = smooth([(264, 382), (290, 300), (260, 196)], closed=False)
    for side in (seam, mirrored(seam)):
        canvas.stroke(side, 4, flat(dark), opacity=0.55, blur=2, inside=True)
    canvas.shine(shirt, round_body(150, 850, 0.0))
    canvas.shine(shirt, ramp((300, 100), (600, 940), 1.08, 0.94))
    canvas.shine(shirt, fuzz(0.018, 5))


def _print(canvas: Canvas, product: Product) -> None:
    ink = product.accent.rgb
    if product.design == 0:
        canvas.write(product.brand.upper(), (375, 330, 625, 420), ink, weight=0.035)
        canvas.write(product.model.upper(), (400, 430, 600, 475), ink)
    elif product.design == 1:
        canvas.fill(ellipse((500, 420), 118, 118), flat(ink))
        canvas.fill(
            smooth([(395, 470), (450, 390), (500, 450), (550, 360), (606, 470), (500, 536)]), flat(product.colour.rgb)
        )
        canvas.write(product.brand, (390, 560, 610, 620), ink, weight=0.035)
    elif product.design == 2:
        canvas.write(product.brand, (560, 300, 670, 345), ink, weight=0.035)
    else:
        for row, y in enumerate((330, 395, 460)):
            canvas.stroke(np.array([(292, y), (708, y)]), 44 - 12 * row, flat(ink), inside=True)
        canvas.write(product.model.upper(), (400, 515, 600, 570), ink, weight=0.035)
