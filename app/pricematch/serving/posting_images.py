"""The images of postings, encoded together, each in its place; one that is bad spoils its posting."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pricematch.catalogue.features import ImageFeatures
from pricematch.errors import ImageError


@dataclass(frozen=True, slots=True)
class BadImage:
    """Why an image of a posting cannot be used.

    Attributes:
        error: why.
        place: of the image among those of its posting, from 1.
        count: how many these are.
    """

    error: ImageError
    place: int = 1
    count: int = 1

    @property
    def told(self) -> ImageError:
        """The error; of one of several images its message says which."""
        return self.error if self.count == 1 else type(self.error)(f"image {self.place}: {self.error}")


def of_each(
    images: Sequence[Sequence[bytes]], found: Iterable[ImageFeatures | ImageError]
) -> list[list[ImageFeatures] | BadImage]:
    """The features of each posting's images, or the first of them that is bad.

    Args:
        images: of each posting.
        found: what became of all images, in their order.
    """
    rest = iter(found)
    return [_whole([next(rest) for _ in of_posting]) for of_posting in images]


def _whole(found: Sequence[ImageFeatures | ImageError]) -> list[ImageFeatures] | BadImage:
    good = list[ImageFeatures]()
    for place, it in enumerate(found, start=1):
        if isinstance(it, ImageError):
            return BadImage(it, place, len(found))
        good.append(it)
    return good


def whole_of(
    images: Sequence[Sequence[bytes]], found: Iterable[ImageFeatures | ImageError]
) -> list[list[ImageFeatures]]:
    """The features of each posting's images; raises ImageError for the first that is bad."""
    whole = list[list[ImageFeatures]]()
    for it in of_each(images, found):
        if isinstance(it, BadImage):
            raise it.told
        whole.append(it)
    return whole


def names_of(features: Iterable[ImageFeatures]) -> list[str]:
    """What a store calls images: their digests in hexadecimal digits."""
    return [it.digest.hex() for it in features]
