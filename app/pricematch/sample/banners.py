"""What shops print over their photos: strips, badges, frames and watermarks."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from pricematch.sample.canvas import font

Colour = tuple[int, int, int]

_LOUD: tuple[Colour, ...] = ((220, 38, 38), (238, 77, 45), (22, 101, 52), (29, 78, 216), (234, 179, 8), (17, 24, 39))
_SLOGANS = (
    *("FREE SHIPPING", "PROMO 50%", "READY STOCK", "GRATIS ONGKIR", "100% ORIGINAL", "BELI 2 GRATIS 1", "COD"),
    *("BEST SELLER", "TERLARIS", "SALE 11.11", "CUCI GUDANG", "KUALITAS PREMIUM", "DISKON 30%", "NEW ARRIVAL"),
)
_SHOPS = ("Toko Makmur", "RumahMurah", "GrosirJaya", "Happy Mart", "Berkah Store", "Sentosa Shop", "Kios Ceria")

_Draw = Callable[[Image.Image, np.random.Generator], None]


def add_banner(photo: Image.Image, rng: np.random.Generator) -> None:
    """Print a strip, a badge, a ribbon, a price or a frame over a photo."""
    _BANNERS[rng.integers(len(_BANNERS))](photo, rng)


def add_watermark(photo: Image.Image, rng: np.random.Generator) -> None:
    """Write the shop's name across a photo, see-through."""
    shop = _SHOPS[rng.integers(len(_SHOPS))]
    layer = Image.new("L", photo.size)
    draw = ImageDraw.Draw(layer)
    strength = int(rng.integers(70, 130))
    if rng.random() < 0.5:
        _fit(draw, shop, (0.1 * photo.width, 0.40 * photo.height, 0.9 * photo.width, 0.60 * photo.height), strength)
    else:
        for row in range(4):
            top = (0.1 + 0.23 * row) * photo.height
            left = (0.04 + 0.2 * (row % 2)) * photo.width
            _fit(draw, shop, (left, top, left + 0.4 * photo.width, top + 0.07 * photo.height), strength)
    turned = layer.rotate(float(rng.choice((0, 20, 30))), resample=Image.Resampling.BILINEAR)
    photo.paste((255, 255, 255) if rng.random() < 0.6 else (60, 60, 60), mask=turned)


def _fit(draw: ImageDraw.ImageDraw, text: str, box: tuple[float, float, float, float], fill: Colour | int) -> None:
    """Write a line in the middle of a box, as large as fits."""
    unit = draw.textlength(text, font=font(40)) / 40
    size = max(8, int(min((box[2] - box[0]) / unit, (box[3] - box[1]) * 0.92)))
    middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    draw.text(middle, text, fill=fill, font=font(size), anchor="mm", stroke_width=size // 34)


def _loud(rng: np.random.Generator) -> tuple[Colour, Colour]:
    ground = _LOUD[rng.integers(len(_LOUD))]
    return ground, (17, 24, 39) if sum(ground) > 400 else (255, 255, 255)


def _slogan(rng: np.random.Generator) -> str:
    return _SLOGANS[rng.integers(len(_SLOGANS))]


def _strip(photo: Image.Image, rng: np.random.Generator) -> None:
    ground, ink = _loud(rng)
    height = rng.uniform(0.09, 0.15) * photo.height
    top = 0.0 if rng.random() < 0.4 else photo.height - height
    draw = ImageDraw.Draw(photo)
    draw.rectangle((0, top, photo.width, top + height), fill=ground)
    _fit(draw, _slogan(rng), (0.05 * photo.width, top + 0.15 * height, 0.95 * photo.width, top + 0.85 * height), ink)


def _badge(photo: Image.Image, rng: np.random.Generator) -> None:
    ground, ink = _loud(rng)
    radius = rng.uniform(0.11, 0.16) * min(photo.size)
    x = photo.width - 1.15 * radius if rng.random() < 0.5 else 1.15 * radius
    y = 1.15 * radius if rng.random() < 0.7 else photo.height - 1.15 * radius
    # Pillow's shapes have hard edges, so the badge is drawn four times as large and pasted smaller.
    side = int(8 * radius)
    star = Image.new("L", (side, side))
    angles = np.linspace(0, 2 * np.pi, 49)[:-1]
    reach = side / 2 * np.where(np.arange(48) % 2, 0.88, 0.99)
    points = np.stack([side / 2 + reach * np.cos(angles), side / 2 + reach * np.sin(angles)], axis=1)
    ImageDraw.Draw(star).polygon([(float(px), float(py)) for px, py in points], fill=255)
    small = star.resize((side // 4, side // 4), Image.Resampling.BOX)
    photo.paste(ground, (int(x - radius), int(y - radius)), small)
    words = _slogan(rng).split()
    draw = ImageDraw.Draw(photo)
    step = 1.1 * radius / len(words)
    for line, word in enumerate(words):
        top = y - 0.55 * radius + line * step
        _fit(draw, word, (x - 0.72 * radius, top, x + 0.72 * radius, top + min(step, 0.5 * radius)), ink)


def _ribbon(photo: Image.Image, rng: np.random.Generator) -> None:
    ground, ink = _loud(rng)
    side = int(0.42 * min(photo.size))
    ribbon = Image.new("RGBA", (2 * side, 2 * side))
    draw = ImageDraw.Draw(ribbon)
    draw.rectangle((0, 0.86 * side, 2 * side, 1.14 * side), fill=(*ground, 255))
    _fit(draw, _slogan(rng), (0.45 * side, 0.88 * side, 1.55 * side, 1.12 * side), ink)
    turned = ribbon.rotate(45, resample=Image.Resampling.BICUBIC)
    photo.paste(turned, (int(-0.66 * side), int(-0.66 * side)), turned)


def _price(photo: Image.Image, rng: np.random.Generator) -> None:
    ground, ink = _loud(rng)
    width, height = 0.36 * photo.width, 0.1 * photo.height
    left, top = 0.03 * photo.width, photo.height - 1.3 * height
    draw = ImageDraw.Draw(photo)
    draw.rounded_rectangle((left, top, left + width, top + height), radius=height / 3, fill=ground)
    label = f"Rp {rng.integers(9, 250)}.{rng.choice((0, 500, 900)):03d}"
    _fit(draw, label, (left + 0.08 * width, top, left + 0.92 * width, top + height), ink)


def _frame(photo: Image.Image, rng: np.random.Generator) -> None:
    ground, ink = _loud(rng)
    width = max(4, int(rng.uniform(0.015, 0.035) * min(photo.size)))
    draw = ImageDraw.Draw(photo)
    draw.rectangle((0, 0, photo.width - 1, photo.height - 1), outline=ground, width=width)
    bar = 0.09 * photo.height
    draw.rectangle((0.2 * photo.width, 0, 0.8 * photo.width, bar), fill=ground)
    shop = _SHOPS[rng.integers(len(_SHOPS))]
    _fit(draw, shop, (0.24 * photo.width, 0.1 * bar, 0.76 * photo.width, 0.95 * bar), ink)


_BANNERS: tuple[_Draw, ...] = (_strip, _strip, _badge, _badge, _ribbon, _price, _frame)
