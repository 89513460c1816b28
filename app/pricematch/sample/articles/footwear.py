"""Sneakers."""

import numpy as np

from pricematch.sample.canvas import Canvas
from pricematch.sample.colours import INK, WHITE, mix, readable_on
from pricematch.sample.lights import fuzz, ramp
from pricematch.sample.outlines import rectangle, smooth
from pricematch.sample.paints import flat, pattern
from pricematch.sample.products import Product


def draw_sneaker(canvas: Canvas, product: Product) -> None:
    """A sneaker from its side, with the stripe of its design."""
    cloth, accent = product.colour.rgb, product.accent.rgb
    tone = mix(cloth, (0, 0, 0), 0.28)
    tongue = smooth([(330, 405), (352, 352), (420, 366), (470, 440), (400, 490)])
    canvas.fill(tongue, flat(tone))
    upper = smooth(
        [
            *(
                (120, 720),
                (106, 600),
                (116, 465),
                (146, 402),
                (205, 425),
                (270, 455),
                (335, 425),
                (352, 402),
                (430, 455),
            ),
            *((560, 540), (700, 580), (830, 604), (892, 655), (900, 720), (900, 720), (500, 735)),
        ]
    )
    canvas.fill(upper, pattern(product.pattern, cloth, accent, 62))
    toe = smooth([(700, 722), (694, 660), (735, 592), (800, 586), (872, 620), (902, 722), (902, 722)])
    canvas.fill(toe, flat(mix(cloth, WHITE, 0.18)), inside=True)
    heel = smooth([(108, 725), (98, 600), (114, 465), (152, 455), (192, 580), (210, 725), (210, 725)])
    canvas.fill(heel, flat(accent), inside=True)
    _stripe(canvas, product)
    opening = smooth([(142, 415), (205, 432), (270, 460), (335, 430), (352, 408)], closed=False)
    canvas.stroke(opening, 26, flat(tone))
    canvas.stroke(opening - (0, 6), 8, flat(mix(tone, WHITE, 0.3)), blur=3)
    canvas.shine(upper, ramp((300, 390), (400, 760), 1.12, 0.78))
    canvas.shine(upper, fuzz(0.02, 8))
    canvas.stroke(smooth([(700, 716), (694, 660), (735, 594)], closed=False), 4, flat(INK), opacity=0.5)
    for step in range(6):
        x, y = 372 + 42 * step, 440 + 24 * step
        canvas.stroke(np.array([(x - 26, y + 44), (x + 38, y - 6)]), 15, flat(mix(WHITE, tone, 0.12)))
        canvas.stroke(np.array([(x - 20, y + 44), (x + 36, y)]), 4, flat(tone), opacity=0.5)
    sole = smooth(
        [
            *((98, 715), (98, 715), (300, 728), (620, 726), (905, 708), (905, 708), (925, 745), (910, 800), (860, 812)),
            *((500, 815), (150, 815), (100, 790)),
        ]
    )
    canvas.fill(sole, flat(WHITE if product.design != 3 else mix(accent, WHITE, 0.15)))
    canvas.shine(sole, ramp((0, 705), (0, 815), 1.0, 0.74))
    canvas.stroke(np.array([(104, 772), (500, 784), (915, 770)]), 7, flat(accent), opacity=0.9, inside=True)
    for x in range(130, 890, 34):
        canvas.fill(rectangle(x, 802, x + 20, 820, 4), flat(mix(INK, WHITE, 0.25)))
    canvas.write(product.brand, (114, 600, 194, 650), readable_on(accent), weight=0.035)


def _stripe(canvas: Canvas, product: Product) -> None:
    paint = flat(product.accent.rgb)
    if product.design == 0:
        for x in (400, 460, 520):
            canvas.stroke(np.array([(x, 720), (x + 52, 548)]), 30, paint, inside=True)
    elif product.design == 1:
        canvas.stroke(smooth([(230, 600), (380, 690), (520, 655), (640, 590)], closed=False), 40, paint, inside=True)
    elif product.design == 2:
        canvas.stroke(np.array([(300, 700), (380, 590), (460, 700), (540, 590), (600, 700)]), 26, paint, inside=True)
    else:
        canvas.fill(smooth([(260, 660), (420, 600), (600, 620), (420, 700)]), paint, inside=True)
