"""Images that cannot be used."""

from pricematch.errors.base import PricematchError


class ImageError(PricematchError):
    """One image cannot be used."""


class ImageEmpty(ImageError):
    """The image has no bytes."""


class ImageNotFetched(ImageError):
    """What is at a URL cannot be had, or may not be asked for."""


class ImageTypeUnsupported(ImageError):
    """The bytes are not one of the image formats we read."""


class ImageCorrupt(ImageError):
    """The bytes begin like an image but do not decode."""


class ImageTooLarge(ImageError):
    """The image has more pixels than the limit; known from its header, before decoding."""


class ImageTooSmall(ImageError):
    """The image has fewer pixels a side than the limit."""


class ImageTooComplex(ImageError):
    """The image has more parts than the limit, or took longer to decode: it is written to keep a processor busy."""


class ImageUnavailable(ImageError):
    """A posting's image is missing, is no regular file, or lies outside the image folder."""
