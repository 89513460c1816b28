"""One drawing per kind of article."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pricematch.sample.articles.bags import draw_backpack
from pricematch.sample.articles.bottles import draw_face_wash, draw_shampoo
from pricematch.sample.articles.boxes import draw_pouch, draw_tea_box
from pricematch.sample.articles.clothes import draw_tshirt
from pricematch.sample.articles.cosmetics import draw_lipstick
from pricematch.sample.articles.drinks import draw_can, draw_carton
from pricematch.sample.articles.footwear import draw_sneaker
from pricematch.sample.articles.gadgets import draw_headphones, draw_watch
from pricematch.sample.articles.homeware import draw_mug
from pricematch.sample.articles.phone_cases import draw_phone_case
from pricematch.sample.articles.toys import draw_plush
from pricematch.sample.canvas import Canvas
from pricematch.sample.products import Product

DRAWINGS: dict[str, Callable[[Canvas, Product], None]] = {
    "tshirt": draw_tshirt,
    "shampoo": draw_shampoo,
    "can": draw_can,
    "carton": draw_carton,
    "phone_case": draw_phone_case,
    "mug": draw_mug,
    "sneaker": draw_sneaker,
    "lipstick": draw_lipstick,
    "tea_box": draw_tea_box,
    "pouch": draw_pouch,
    "backpack": draw_backpack,
    "headphones": draw_headphones,
    "watch": draw_watch,
    "plush": draw_plush,
    "face_wash": draw_face_wash,
}


def draw(product: Product) -> npt.NDArray[np.uint8]:
    """The article alone: uint8 [side, side, 4], RGB premultiplied by the coverage in the last channel."""
    canvas = Canvas()
    DRAWINGS[product.kind.name](canvas, product)
    return np.round(np.clip(canvas.pixels, 0, 1) * 255).astype(np.uint8)
