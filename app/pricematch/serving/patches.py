"""Changes of some of a stored posting, by its fields."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pricematch.catalogue.metadata import MetadataLimits, merged_metadata
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import ANYHOW, Condition
from pricematch.errors import FieldInvalid


@dataclass(frozen=True)
class MetadataPatch:
    """A JSON Merge Patch of metadata, an object or null, and what they may be afterwards."""

    value: object
    limits: MetadataLimits


@dataclass(frozen=True)
class PostingPatch:
    """What is to be changed of a stored posting; the rest stays.

    Attributes:
        posting_id: of the posting.
        fields: values of those of `Posting` that change, but for metadata; of `image` None alone, which removes it.
        metadata: how metadata changes; None: they stay.
        image: the bytes of an image in place of the stored one; None where it brings none.
        condition: what must be true of the stored posting.
    """

    posting_id: str
    fields: Mapping[str, Any]
    metadata: MetadataPatch | None = None
    image: bytes | None = None
    condition: Condition = ANYHOW

    def applied(self, posting: Posting, image: str | None) -> Posting:
        """The posting after the change; the hash of an image that it has no more goes, unless the change brings one.

        Args:
            posting: as it is stored.
            image: the digest of the image that the change brings.

        Raises:
            FieldInvalid: it would have neither image nor title, or metadata that may not be.
        """
        fields = dict(self.fields) if image is None else {**self.fields, "image": image}
        if "image" in fields and fields["image"] != posting.image:
            fields.setdefault("image_phash", None)
        if self.metadata is not None:
            fields["metadata"] = merged_metadata(posting.metadata, self.metadata.value, self.metadata.limits)
        changed = replace(posting, **fields)
        if changed.image is None and not changed.title:
            raise FieldInvalid("title", "expected an image or a title to be left, got neither")
        return changed
