"""The kinds of article on sale, and what the products of a kind can differ in."""

from dataclasses import dataclass

from pricematch.sample.colours import LIVERIES, WARDROBE, Tint, tint

CAREGIVING = (
    tint("Green Tea", "Teh Hijau", "6f9a3c"),
    tint("Rose", "Mawar", "d4567c"),
    tint("Lavender", "Lavender", "8467b5"),
    tint("Aloe Vera", "Lidah Buaya", "38a169"),
    tint("Charcoal", "Arang", "3b3f45"),
    tint("Lemon", "Lemon", "dcb821"),
    tint("Coconut", "Kelapa", "8a6a4f"),
    tint("Ocean", "Laut", "2b7fc0"),
)
DRINKING = (
    tint("Strawberry", "Stroberi", "df3b57"),
    tint("Chocolate", "Coklat", "6b3e26"),
    tint("Vanilla", "Vanila", "d9b44a"),
    tint("Mango", "Mangga", "f0921e"),
    tint("Lychee", "Leci", "e58aa0"),
    tint("Apple", "Apel", "63a53a"),
    tint("Melon", "Melon", "7fbf6a"),
    tint("Coffee", "Kopi", "4d3427"),
    tint("Grape", "Anggur", "6d3f8f"),
)
BREWING = (
    tint("Jasmine", "Melati", "8aa84f"),
    tint("Lemon", "Lemon", "e0c02c"),
    tint("Earl Grey", "Earl Grey", "4a5d8a"),
    tint("Chamomile", "Kamomil", "e3a93b"),
    tint("Peppermint", "Peppermint", "2d9c7a"),
    tint("Ginger", "Jahe", "b9792e"),
)
SHADES = (
    tint("Ruby Red", "Merah Ruby", "a8172d"),
    tint("Coral", "Koral", "ec6a5c"),
    tint("Nude", "Nude", "c08573"),
    tint("Berry", "Berry", "7a1f48"),
    tint("Peach", "Peach", "ef9c83"),
    tint("Mauve", "Mauve", "a5667b"),
    tint("Brick", "Bata", "96402f"),
    tint("Fuchsia", "Fuchsia", "cf2a7c"),
)
HANDSETS = ("Nova 7", "Nova 8 Pro", "Pixa 5", "Pixa 5A", "Redo 9", "Redo 10C", "Opa A15", "Viva Y20", "Sona X3")
_PRINTS = ("plain", "stripes", "dots", "checks", "zigzag", "flowers", "camouflage", "diagonal")


@dataclass(frozen=True)
class Kind:
    """One kind of article.

    Attributes:
        name: the word the drawing is found by.
        nouns: what sellers call it.
        models: the names a brand gives to its products of this kind.
        colours: its body colours.
        flavours: flavours, scents or shades; empty when it has none.
        sizes: contents or capacity, from small to large; empty when every product is alike.
        patterns: what is printed on it.
        packs: how many are sold together.
        colour_named: whether the body colour belongs to the title, as with clothes, or only to the packaging.
        standing: whether it is photographed upright on a surface, and not laid flat.
    """

    name: str
    nouns: tuple[str, ...]
    models: tuple[str, ...]
    colours: tuple[Tint, ...] = LIVERIES
    flavours: tuple[Tint, ...] = ()
    sizes: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ("plain",)
    packs: tuple[int, ...] = (1,)
    colour_named: bool = False
    standing: bool = True


KINDS = (
    Kind(
        "tshirt",
        ("Kaos", "T-Shirt", "Baju Kaos", "Tee"),
        ("Basic", "Urban", "Coastline", "Retro", "Sunday", "Summit", "Wave"),
        WARDROBE,
        patterns=_PRINTS,
        colour_named=True,
        standing=False,
    ),
    Kind(
        "shampoo",
        ("Shampoo", "Sampo", "Shampo"),
        ("Silk Care", "Root Repair", "Daily Fresh", "Anti Dandruff", "Smooth Shine", "Volume Up"),
        flavours=CAREGIVING,
        sizes=("100 ml", "200 ml", "340 ml"),
        packs=(1, 1, 1, 2, 3),
    ),
    Kind(
        "can",
        ("Minuman Kaleng", "Soda", "Soft Drink"),
        ("Fizz", "Spark", "Zero", "Energy", "Fresh Pop"),
        flavours=DRINKING,
        sizes=("250 ml", "330 ml"),
        packs=(1, 1, 3, 6),
    ),
    Kind(
        "carton",
        ("Susu UHT", "Milk", "Susu Cair"),
        ("Farm Fresh", "Gold", "Kids", "Low Fat", "Soya"),
        flavours=DRINKING,
        sizes=("200 ml", "500 ml", "1 L"),
        packs=(1, 1, 3),
    ),
    Kind(
        "phone_case",
        ("Case", "Casing HP", "Softcase", "Hardcase"),
        HANDSETS,
        WARDROBE,
        patterns=_PRINTS,
        colour_named=True,
        standing=False,
    ),
    Kind(
        "mug",
        ("Mug", "Gelas Mug", "Cangkir Keramik"),
        ("Morning", "Cozy", "Studio", "Campfire", "Nordic"),
        WARDROBE,
        sizes=("250 ml", "350 ml"),
        patterns=("plain", "stripes", "dots", "checks", "zigzag", "flowers"),
        packs=(1, 1, 1, 2),
        colour_named=True,
    ),
    Kind(
        "sneaker",
        ("Sepatu Sneakers", "Sneaker", "Sepatu Kets"),
        ("Runner", "Street", "Court", "Glide", "Trail", "Flex"),
        WARDROBE,
        patterns=("plain", "checks", "camouflage", "dots"),
        colour_named=True,
    ),
    Kind(
        "lipstick",
        ("Lipstick", "Lipstik Matte", "Lip Cream"),
        ("Velvet", "Matte Kiss", "Satin", "Longlast"),
        WARDROBE,
        flavours=SHADES,
        packs=(1, 1, 1, 2),
    ),
    Kind(
        "tea_box",
        ("Teh Celup", "Tea Bags", "Teh"),
        ("Garden", "Heritage", "Highland", "Sunrise"),
        flavours=BREWING,
        sizes=("25 bags", "50 bags", "100 bags"),
        packs=(1, 1, 2, 3),
    ),
    Kind(
        "pouch",
        ("Susu Bubuk", "Milk Powder", "Minuman Serbuk"),
        ("Gro", "Calci", "Nutri 3+", "Bright", "Active"),
        flavours=DRINKING,
        sizes=("200 g", "400 g", "800 g"),
        packs=(1, 1, 1, 2),
    ),
    Kind(
        "backpack",
        ("Tas Ransel", "Backpack", "Tas Sekolah"),
        ("Campus", "Voyager", "Metro", "Hiker", "Daypack"),
        WARDROBE,
        sizes=("15 L", "20 L", "30 L"),
        patterns=("plain", "checks", "camouflage", "dots", "zigzag", "flowers"),
        colour_named=True,
    ),
    Kind(
        "headphones",
        ("Headphone", "Headset Bluetooth", "Headphone Wireless"),
        ("Bass", "Studio", "Air", "Quiet", "Beat"),
        WARDROBE,
        colour_named=True,
        standing=False,
    ),
    Kind(
        "watch",
        ("Jam Tangan", "Watch", "Jam Tangan Pria"),
        ("Classic", "Diver", "Chrono", "Minimal", "Aviator"),
        WARDROBE,
        colour_named=True,
        standing=False,
    ),
    Kind(
        "plush",
        ("Boneka", "Plush Bear", "Boneka Beruang"),
        ("Teddy", "Honey", "Cuddle", "Mochi"),
        WARDROBE,
        sizes=("25 cm", "40 cm", "60 cm"),
        colour_named=True,
    ),
    Kind(
        "face_wash",
        ("Facial Foam", "Face Wash", "Sabun Muka"),
        ("Pure", "Acne Care", "Bright Up", "Hydra", "Men"),
        flavours=CAREGIVING,
        sizes=("50 ml", "100 ml", "150 ml"),
        packs=(1, 1, 1, 2, 3),
    ),
)
