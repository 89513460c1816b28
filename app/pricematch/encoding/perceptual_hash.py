"""The perceptual hash that the competition's column `image_phash` holds, by the library that made it."""

import imagehash
from PIL import Image

from pricematch.encoding.decoder import DECODING, PillowDecoder

HASHING = f"phash-decoding{DECODING}"
"""Names the hash and the way pictures are decoded for it; hashes of another are not taken for these."""


def phash(image: bytes, decoder: PillowDecoder) -> str:
    """The 64-bit perceptual hash of a picture: 16 hexadecimal digits, in lower case.

    Of the upright picture on white, so a photo and its copy that a camera stored lying have the same one. Where there
    is neither EXIF orientation nor transparency it is `imagehash.phash` of the file, as in the competition's data.

    Args:
        image: the encoded picture.
        decoder: whose limits hold; the side of its pixels does not matter.

    Raises:
        ImageEmpty, ImageTypeUnsupported, ImageTooLarge, ImageTooSmall, ImageCorrupt.
    """
    return str(imagehash.phash(Image.fromarray(decoder.upright(image))))


class PerceptualHasher:
    """Implements `ports.Hasher`.

    Args:
        decoder: whose limits hold; the side of its pixels does not matter.
    """

    def __init__(self, decoder: PillowDecoder) -> None:
        self._decoder = decoder

    def hash(self, image: bytes) -> str:
        """See `phash`."""
        return phash(image, self._decoder)
