"""Words of product titles in English and Indonesian: names of variants, and sellers' noise."""

VARIANTS: dict[str, dict[str, str]] = {
    "colour": {
        "black": "black hitam",
        "white": "white putih",
        "red": "red merah",
        "blue": "blue biru",
        "green": "green hijau ijo",
        "yellow": "yellow kuning",
        "brown": "brown coklat cokelat choco chocolate",
        "grey": "grey gray abu",
        "purple": "purple violet ungu",
        "orange": "orange oranye jingga",
        "pink": "pink",
        "gold": "gold golden emas",
        "silver": "silver perak",
        "beige": "beige krem",
        "navy": "navy dongker",
        "maroon": "maroon marun burgundy",
        "turquoise": "turquoise tosca toska",
        "salmon": "salmon salem",
        "peach": "peach",
        "lilac": "lilac",
        "nude": "nude",
        "khaki": "khaki army",
        "transparent": "transparent transparan bening clear",
    },
    "flavour": {
        "chocolate": "coklat cokelat choco chocolate",
        "strawberry": "strawberry stroberi strawbery",
        "vanilla": "vanilla vanila",
        "matcha": "matcha greentea",
        "mango": "mango mangga",
        "lemon": "lemon",
        "lime": "lime nipis",
        "citrus": "jeruk citrus orange",
        "melon": "melon",
        "peach": "peach",
        "watermelon": "watermelon semangka",
        "banana": "banana pisang",
        "grape": "grape anggur",
        "lychee": "lychee leci",
        "coconut": "coconut kelapa",
        "blueberry": "blueberry",
        "raspberry": "raspberry",
        "cherry": "cherry ceri",
        "durian": "durian",
        "almond": "almond",
        "hazelnut": "hazelnut",
        "coffee": "coffee kopi",
        "mocha": "mocha moka mocca",
        "cappuccino": "cappuccino cappucino capuccino",
        "caramel": "caramel karamel",
        "honey": "honey madu",
        "mint": "mint",
        "ginger": "ginger jahe",
        "cheese": "cheese keju",
        "barbecue": "barbecue barbeque bbq",
        "spicy": "spicy pedas",
        "chicken": "chicken ayam",
        "beef": "beef sapi",
        "seaweed": "seaweed nori",
        "corn": "corn jagung",
        "rose": "rose mawar",
        "lavender": "lavender",
        "jasmine": "jasmine melati",
        "aloe": "aloe aloevera buaya",
        "charcoal": "charcoal arang",
    },
    "audience": {
        "women": "women woman womens ladies wanita perempuan cewek cewe",
        "men": "men man mens pria cowok cowo",
        "children": "child children kids kid anak",
        "babies": "baby babies bayi newborn",
    },
    "edition": {
        "pro": "pro",
        "plus": "plus",
        "max": "max",
        "mini": "mini",
        "lite": "lite",
        "ultra": "ultra",
        "premium": "premium",
        "jumbo": "jumbo",
        "refill": "refill",
        "long": "long longsleeve panjang",
        "short": "short pendek",
    },
}
"""What tells variants of one product apart: by kind and name, how each is written, casefolded.

A word may be of two kinds: `coklat` is brown, and chocolate."""


def _names_by_spelling() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for kind, names in VARIANTS.items():
        for name, spellings in names.items():
            for spelling in spellings.split():
                found.setdefault(spelling, {})[kind] = name
    return found


VARIANTS_OF = _names_by_spelling()
"""By spelling, its names by kind."""

_PRAISE = (
    "original ori asli authentic genuine premium kualitas berkualitas quality bagus keren terjamin terpercaya hot big"
)
_PRICE = "murah termurah murmer promo promosi sale diskon discount obral hemat cheap harga flash voucher cashback"
_OFFER = "ready readystock stock stok restock new baru terbaru best seller bestseller terlaris laris limited terbatas"
_TRADE = (
    "grosir ecer eceran import impor supplier distributor agen reseller cuci gudang toko store shop olshop official"
)
_TERMS = "cod gratis free ongkir shipping bonus bisa bayar ditempat garansi resmi warranty guaranteed open pre po order"

NOISE = frozenset(" ".join([_PRAISE, _PRICE, _OFFER, _TRADE, _TERMS, "banget"]).split())
"""Words that sellers put into titles of anything: praise, offers, delivery; casefolded.

In titles of the competition they tell products apart less than other words as common as they are."""
