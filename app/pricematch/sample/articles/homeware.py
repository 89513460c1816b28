"""Mugs."""

from pricematch.sample.canvas import Canvas
from pricematch.sample.colours import WHITE, mix
from pricematch.sample.lights import ramp, round_body
from pricematch.sample.outlines import ellipse, moved, smooth, symmetric
from pricematch.sample.paints import flat, pattern
from pricematch.sample.products import Product


def draw_mug(canvas: Canvas, product: Product) -> None:
    """A mug with its handle to the right; the larger one is taller."""
    top, half = 330 - 90 * product.growth, 245.0
    glaze, accent = product.colour.rgb, product.accent.rgb
    foot = half - (50 if product.design > 1 else 14)
    handle = smooth(
        [(690, top + 120), (800, top + 90), (862, top + 210), (830, top + 380), (680, top + 450)], closed=False
    )
    canvas.stroke(moved(handle, -60, 0), 58, flat(mix(glaze, (0, 0, 0), 0.16)))
    canvas.stroke(moved(handle, -64, -6), 34, flat(glaze), blur=5, inside=True)
    canvas.stroke(moved(handle, -68, -12), 9, flat(WHITE), opacity=0.5, blur=5, inside=True)
    body = symmetric(
        [(half, top), (half, top), (half - 2, top + 200), (foot + 20, 820), (foot, 900), (foot - 40, 938), (0, 952)]
    )
    canvas.fill(body, pattern(product.pattern, glaze, accent, 88))
    if product.pattern == "plain":
        canvas.write(product.model.lower(), (350, top + 210, 640, top + 330), accent, weight=0.035)
        canvas.write(product.brand.upper(), (400, top + 350, 590, top + 390), accent)
    else:
        canvas.fill(ellipse((500, top + 300), 118, 92), flat(glaze))
        canvas.write(product.brand, (405, top + 265, 595, top + 335), accent, weight=0.035)
    canvas.shine(body, round_body(500 - half, 500 + half, 0.45))
    canvas.shine(body, ramp((0, top), (0, 950), 1.04, 0.9))
    rim = ellipse((500, top), half, 52)
    canvas.fill(rim, flat(mix(glaze, WHITE, 0.35)))
    inside = ellipse((500, top + 5), half - 16, 42)
    lining = accent if product.design % 2 else mix(glaze, WHITE, 0.6)
    canvas.fill(inside, flat(lining))
    canvas.shine(inside, ramp((500 - half, 0), (500 + half, 0), 0.55, 0.95))
