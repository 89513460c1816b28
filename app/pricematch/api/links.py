"""Addresses of the service that stand in answers."""

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from pricematch.api.signatures import ImageSigner
from pricematch.catalogue.postings import Posting
from pricematch.settings import DEFAULT_NAMESPACE

VERSION_PREFIX = "/v1"
"""Where the API is served; the same paths without it are aliases."""
NAMESPACES_PREFIX = "/namespaces"
"""Below it, and below its name, is all that is served of a namespace."""
_VERSION_CHARS = 16
_PATH_SIGNS = ":@+~"
"""Of an id, that stand in a path as they are (RFC 3986, pchar)."""


@dataclass(frozen=True)
class Links:
    """Makes addresses without a host, as a client of a proxy sees them.

    Attributes:
        root_path: setting `root_path`.
        signer: signs addresses of images, where reading them takes a key; None where it does not.
        namespace: that they are in. Those of the default one name none.
    """

    root_path: str = ""
    signer: ImageSigner | None = None
    namespace: str = DEFAULT_NAMESPACE

    def within(self, namespace: str) -> "Links":
        """The same of another namespace."""
        return self if namespace == self.namespace else replace(self, namespace=namespace)

    def images(self, posting: Posting) -> dict[str, Any]:
        """The fields `image_url` and `image_urls` of a posting: of its images, in the versions that they have now.

        Letters outside of ASCII and blanks are encoded.
        """
        each = [self._image(posting.posting_id, name, place) for place, name in enumerate(posting.images, start=1)]
        return {"image_url": each[0] if each else None, "image_urls": each}

    def _image(self, posting_id: str, name: str, place: int) -> str:
        version = image_version(name)
        query = f"v={version}" if place == 1 else f"place={place}&v={version}"
        if self.signer is not None:
            query += f"&{self.signer.query(posting_id, version, place, self.namespace)}"
        return f"{self._base}/postings/{quote(posting_id, safe=_PATH_SIGNS)}/image?{query}"

    def job(self, job_id: str) -> str:
        """Of a job."""
        return f"{self._base}/jobs/{job_id}"

    def product(self, product: str) -> str:
        """Of a product by its id."""
        return f"{self._base}/products/{product}"

    def verdict_batch(self, batch_id: str) -> str:
        """Of a batch of verdicts."""
        return f"{self._base}/verdicts/batches/{batch_id}"

    @property
    def _base(self) -> str:
        where = "" if self.namespace == DEFAULT_NAMESPACE else f"{NAMESPACES_PREFIX}/{self.namespace}"
        return self.root_path + where + VERSION_PREFIX


def image_version(name: str) -> str:
    """The version of a posting's image in its address: of its name, a digest, as much as tells it from others."""
    return quote(name[:_VERSION_CHARS], safe="")
