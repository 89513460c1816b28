"""Versions of what is computed of images, so that what was kept from before is not mixed with what is new."""

DECODING = "3"
"""Grows whenever the same bytes give other pixels, see `decoder`."""
HASHING = "phash-decoding3"
"""Names the hash and the way images are decoded for it in their own size; hashes of another are not taken for these."""
CNN = "cnn"
"""The default encoder, of which a first version can be had without training."""
