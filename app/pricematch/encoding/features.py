"""The perceptual hash of an image."""

import cv2
import imagehash
from PIL import Image

from pricematch.catalogue.hashes import ONE_COLOUR
from pricematch.encoding.decoder import DecodedImage


def phash(image: DecodedImage) -> str:
    """The 64-bit perceptual hash that the competition's column `image_phash` holds, by the library that made it.

    Of the upright image on white, so a photo and its copy that a camera stored lying have the same one. Where there is
    neither EXIF orientation nor transparency it is `imagehash.phash` of the file, as in the competition's data.

    Returns:
        16 hexadecimal digits, in lower case.
    """
    # Pillow takes four channels as they lie, three it would copy one by one; its grey is the same of both
    return str(imagehash.phash(Image.fromarray(cv2.cvtColor(image.upright(), cv2.COLOR_RGB2RGBA))))


def matching_hash(image: DecodedImage) -> str:
    """The perceptual hash that postings are matched by, or `ONE_COLOUR` for an image that shows nothing."""
    return ONE_COLOUR if image.one_colour() else phash(image)
