"""Words that sellers put into titles of anything: praise, offers, delivery; in English and Indonesian."""

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
"""Casefolded. In titles of the competition they tell products apart less than other words as common as they are."""
