"""Signed addresses of images, which a browser loads without a key."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from urllib.parse import urlencode

from pricematch.settings import Settings

_SECRET_BYTES = 32


class ImageSigner:
    """Signs addresses of images, and tells whether a signature holds.

    Within a period all addresses of an image are equal, so that browsers keep it; one holds for one to two periods.

    Args:
        settings: `image_url_secret`, of which an empty one is drawn, and the period, `image_url_seconds`.
        clock: seconds since 1970.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        given = settings.image_url_secret.get_secret_value().encode()
        self._secret = given or secrets.token_bytes(_SECRET_BYTES)
        self._seconds, self._clock = settings.image_url_seconds, clock

    def query(self, posting_id: str, version: str, place: int = 1) -> str:
        """The part of an address that lets a posting's image be read: `expires=…&signature=…`.

        Args:
            posting_id: of the posting.
            version: of the image.
            place: of the image among the posting's.
        """
        expires = (int(self._clock()) // self._seconds + 2) * self._seconds
        return urlencode({"expires": expires, "signature": self._signature(posting_id, version, place, expires)})

    def holds(self, posting_id: str, version: str, place: int, expires: int, signature: str) -> bool:
        """Whether a signature is of this image, and has not expired."""
        expected = self._signature(posting_id, version, place, expires)
        return hmac.compare_digest(expected.encode(), signature.encode()) and self._clock() < expires

    def _signature(self, posting_id: str, version: str, place: int, expires: int) -> str:
        # an id has no control characters, so that nothing else can be put together to the same text; that of the first
        # is as it was before there were others
        message = f"{posting_id}\n{version}\n{expires}" + (f"\n{place}" if place > 1 else "")
        return hmac.new(self._secret, message.encode(), hashlib.sha256).hexdigest()
