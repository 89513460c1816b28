"""Lipsticks."""

from pricematch.sample.articles.label import taste
from pricematch.sample.canvas import Canvas
from pricematch.sample.colours import GOLD, STEEL, WHITE, mix, readable_on
from pricematch.sample.lights import metal, ramp, round_body
from pricematch.sample.outlines import ellipse, rectangle, smooth
from pricematch.sample.paints import blend, flat
from pricematch.sample.products import Product


def draw_lipstick(canvas: Canvas, product: Product) -> None:
    """An open lipstick with its cap beside it."""
    case, shade = product.colour.rgb, taste(product)
    trim = GOLD if product.design % 2 == 0 else STEEL
    bullet = smooth([(352, 420), (352, 420), (350, 240), (372, 190), (440, 120), (466, 128), (470, 420), (470, 420)])
    canvas.fill(bullet, flat(shade))
    canvas.shine(bullet, round_body(350, 470, 0.5))
    slant = smooth([(362, 262), (378, 196), (438, 130), (460, 140), (452, 205), (400, 262)])
    canvas.fill(slant, blend(mix(shade, WHITE, 0.38), shade, (380, 150), (440, 260)))
    for left, right, top, bottom, colour in (
        (334, 488, 390, 560, trim),
        (310, 512, 545, 940, case),
        (310, 512, 545, 575, trim),
        (560, 750, 400, 940, case),
        (560, 750, 888, 918, trim),
    ):
        part = rectangle(left, top, right, bottom, 9)
        canvas.fill(part, flat(colour))
        canvas.shine(part, metal(left, right) if colour == trim else round_body(left, right, 0.55))
    canvas.fill(ellipse((655, 402), 92, 13), flat(mix(case, WHITE, 0.25)))
    ink = trim if readable_on(case) == WHITE else mix(case, (0, 0, 0), 0.6)
    canvas.write(product.brand.upper(), (348, 660, 474, 840), ink, turn=1, weight=0.035)
    canvas.write(product.model, (606, 560, 704, 800), ink, turn=1)
    canvas.shine(rectangle(310, 575, 512, 600), ramp((0, 575), (0, 600), 0.8, 1.0))
