"""Signed addresses of images, which a browser loads without a key."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from urllib.parse import urlencode

from pricematch.settings import DEFAULT_NAMESPACE, Settings

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

    def query(self, posting_id: str, version: str, place: int = 1, namespace: str = DEFAULT_NAMESPACE) -> str:
        """The part of an address that lets a posting's image be read: `expires=…&signature=…`.

        Args:
            posting_id: of the posting.
            version: of the image.
            place: of the image among the posting's.
            namespace: of the posting; in another one it does not hold.
        """
        expires = (int(self._clock()) // self._seconds + 2) * self._seconds
        signature = self._signature(namespace, posting_id, version, place, expires)
        return urlencode({"expires": expires, "signature": signature})

    def holds(
        self,
        posting_id: str,
        version: str,
        place: int,
        expires: int,
        signature: str,
        namespace: str = DEFAULT_NAMESPACE,
    ) -> bool:
        """Whether a signature is of this image in this namespace, and has not expired."""
        expected = self._signature(namespace, posting_id, version, place, expires)
        return hmac.compare_digest(expected.encode(), signature.encode()) and self._clock() < expires

    def _signature(self, namespace: str, posting_id: str, version: str, place: int, expires: int) -> str:
        # neither an id nor a namespace has control characters or stands in the place of another: a version has 32
        # digits and more, a place one. The default namespace and the first place are left out, as before there were
        # others
        where = [] if namespace == DEFAULT_NAMESPACE else [namespace]
        which = [] if place == 1 else [str(place)]
        message = "\n".join([*where, posting_id, version, str(expires), *which]).encode()
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()
