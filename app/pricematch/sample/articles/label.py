"""The printed label of packaged goods: brand, model, motif, flavour and contents."""

import numpy as np

from pricematch.sample.canvas import Box, Canvas
from pricematch.sample.colours import WHITE, Rgb, brightness, mix, readable_on
from pricematch.sample.outlines import ellipse, mirrored, rectangle, smooth, turned
from pricematch.sample.paints import blend, flat
from pricematch.sample.products import Product


def taste(product: Product) -> Rgb:
    """The colour of the flavour, or of the accent when there is none."""
    return product.flavour.rgb if product.flavour else product.accent.rgb


def print_label(canvas: Canvas, box: Box, product: Product, ground: Rgb) -> None:
    """Print a label into a box on a ground of one colour, in the layout of the product's design."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    colour, ink = taste(product), readable_on(ground)
    if abs(brightness(colour) - brightness(ground)) < 0.1:
        colour = mix(colour, ink, 0.45)

    def part(x0: float, y0: float, x1: float, y1: float) -> Box:
        return (left + x0 * width, top + y0 * height, left + x1 * width, top + y1 * height)

    if product.design % 2 == 0:
        canvas.write(product.brand.upper(), part(0.06, 0.03, 0.94, 0.17), ink, weight=0.035)
        canvas.write(product.model, part(0.12, 0.19, 0.88, 0.28), _legible(mix(ink, colour, 0.4), ground))
        _motif(canvas, part(0.14, 0.31, 0.86, 0.68), product, colour)
        band = part(0.0, 0.71, 1.0, 0.86)
        canvas.fill(rectangle(*band), blend(colour, mix(colour, WHITE, 0.25), band[:2], (band[2], band[1])))
        if product.flavour:
            canvas.write(product.flavour.name, part(0.08, 0.735, 0.92, 0.835), readable_on(colour))
        canvas.write(_contents(product), part(0.2, 0.895, 0.8, 0.965), ink)
        return
    _motif(canvas, part(0.08, 0.02, 0.92, 0.40), product, colour)
    plate = part(0.0, 0.42, 1.0, 0.66)
    canvas.fill(rectangle(*plate), flat(mix(colour, (0, 0, 0), 0.15)))
    canvas.write(product.brand, part(0.06, 0.45, 0.94, 0.63), readable_on(mix(colour, (0, 0, 0), 0.15)), weight=0.035)
    canvas.write(product.model.upper(), part(0.08, 0.69, 0.92, 0.77), ink)
    if product.flavour:
        canvas.write(product.flavour.name.lower(), part(0.1, 0.79, 0.9, 0.88), _legible(mix(ink, colour, 0.5), ground))
    canvas.write(_contents(product), part(0.25, 0.91, 0.75, 0.98), ink, weight=0.01)


def _legible(colour: Rgb, ground: Rgb) -> Rgb:
    """The colour if it can be read on the ground, else white or ink."""
    return colour if abs(brightness(colour) - brightness(ground)) > 0.3 else readable_on(ground)


def _contents(product: Product) -> str:
    return f"NET {product.size}" if product.size else product.kind.nouns[-1].upper()


def _motif(canvas: Canvas, box: Box, product: Product, colour: Rgb) -> None:
    """A picture in the middle of the label: a leaf, fruits, a drop or rays."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    reach = min(box[2] - box[0], box[3] - box[1]) / 2
    pale, deep = mix(colour, WHITE, 0.45), mix(colour, (0, 0, 0), 0.3)
    tone = blend(pale, deep, (x - reach, y - reach), (x + reach, y + reach))
    if product.design == 0:
        leaf = smooth([(x, y - reach), (x, y - reach), (x + 0.42 * reach, y), (x, y + reach), (x - 0.42 * reach, y)])
        for angle in (-40.0, 40.0, 0.0):
            canvas.fill(turned(leaf, angle, (x, y + 0.7 * reach)), tone)
        canvas.stroke(np.array([(x, y - 0.6 * reach), (x, y + 0.9 * reach)]), 0.05 * reach, flat(pale))
    elif product.design == 1:
        for dx, dy, size in ((-0.5, 0.2, 0.55), (0.5, 0.25, 0.5), (0.02, -0.25, 0.62)):
            at = (x + dx * reach, y + dy * reach)
            canvas.fill(ellipse(at, size * reach, size * reach), tone)
            glint = ellipse((at[0] - 0.2 * reach, at[1] - 0.2 * reach), 0.14 * reach, 0.1 * reach)
            canvas.fill(glint, flat(WHITE), opacity=0.6, blur=0.03 * reach)
    elif product.design == 2:
        drop = smooth([(x, y - reach), (x, y - reach), (x + 0.62 * reach, y + 0.35 * reach), (x, y + reach)])
        drop = np.concatenate([drop, mirrored(drop[::-1], x)])
        canvas.fill(ellipse((x, y), 1.02 * reach, 1.02 * reach), flat(mix(colour, WHITE, 0.7)))
        canvas.fill(drop, tone)
    else:
        for angle in range(0, 360, 30):
            ray = np.array([(x - 0.1 * reach, y - 0.55 * reach), (x, y - reach), (x + 0.1 * reach, y - 0.55 * reach)])
            canvas.fill(turned(ray, float(angle), (x, y)), flat(colour))
        canvas.fill(ellipse((x, y), 0.5 * reach, 0.5 * reach), tone)
