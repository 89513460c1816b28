"""Phone cases."""

import numpy as np

from pricematch.sample.canvas import Canvas
from pricematch.sample.colours import INK, STEEL, WHITE, mix
from pricematch.sample.lights import ball, ramp
from pricematch.sample.outlines import ellipse, rectangle
from pricematch.sample.paints import blend, flat, pattern
from pricematch.sample.products import Product

_LENSES = (
    ((356, 156), (356, 246)),
    ((350, 152), (440, 152), (350, 240)),
    ((356, 150), (356, 228), (356, 306)),
    ((352, 154), (440, 154), (352, 240), (440, 240)),
)


def draw_phone_case(canvas: Canvas, product: Product) -> None:
    """The back of a phone in its case; each design is another phone with other lenses."""
    case, accent = product.colour.rgb, product.accent.rgb
    body = rectangle(276, 70, 724, 940, 66)
    canvas.fill(rectangle(718, 300, 734, 400, 6), flat(mix(case, (0, 0, 0), 0.45)))
    canvas.fill(body, flat(mix(case, (0, 0, 0), 0.35)))
    back = rectangle(286, 80, 714, 930, 58)
    canvas.fill(back, pattern(product.pattern, case, accent, 86))
    if product.pattern == "plain":
        _artwork(canvas, product)
    canvas.fill(rectangle(420, 846, 580, 898, 26), flat(case))
    canvas.write(product.brand, (436, 856, 564, 888), accent, weight=0.035)
    lenses = np.array(_LENSES[product.design], dtype=np.float64)
    low, high = lenses.min(axis=0) - 52, lenses.max(axis=0) + 52
    canvas.fill(rectangle(low[0] - 7, low[1] - 7, high[0] + 7, high[1] + 7, 44), flat(mix(case, (0, 0, 0), 0.5)))
    canvas.fill(rectangle(low[0], low[1], high[0], high[1], 40), flat((0.16, 0.17, 0.19)))
    for x, y in lenses:
        canvas.fill(ellipse((x, y), 36, 36), flat(mix(STEEL, INK, 0.45)))
        glass = ellipse((x, y), 30, 30)
        canvas.fill(glass, blend((0.03, 0.04, 0.07), (0.16, 0.20, 0.34), (x - 25, y - 25), (x + 25, y + 25)))
        canvas.fill(ellipse((x, y), 12, 12), flat((0.02, 0.02, 0.03)))
        canvas.shine(glass, ball((x, y), 32, 0.9))
    sheen = np.array([(286, 520), (286, 330), (590, 80), (714, 80)])
    canvas.fill(sheen, flat(WHITE), opacity=0.10, inside=True, blur=4)
    canvas.stroke(back, 5, flat(mix(case, WHITE, 0.5)), opacity=0.7)
    canvas.shine(body, ramp((276, 80), (724, 930), 1.07, 0.88))


def _artwork(canvas: Canvas, product: Product) -> None:
    accent, case = product.accent.rgb, product.colour.rgb
    if product.design == 1:
        canvas.fill(ellipse((500, 540), 130, 130), flat(accent))
        canvas.fill(ellipse((540, 505), 112, 112), flat(case))
    elif product.design == 2:
        for step in range(4):
            hills = ellipse((400 + 80 * step, 960 - 40 * step), 300 - 45 * step, 330 - 60 * step)
            canvas.fill(hills, flat(mix(accent, case, 0.2 * step)), inside=True, opacity=0.9)
    elif product.design == 3:
        heart = np.linspace(0, 2 * np.pi, 80)
        x = 16 * np.sin(heart) ** 3
        y = 13 * np.cos(heart) - 5 * np.cos(2 * heart) - 2 * np.cos(3 * heart) - np.cos(4 * heart)
        for scale, cx, cy in ((8.0, 500, 540), (3.0, 600, 710), (3.6, 400, 720)):
            canvas.fill(np.stack([cx + scale * x, cy - scale * y], axis=1), flat(accent))
