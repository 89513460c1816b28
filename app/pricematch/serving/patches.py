"""Changes of some of a stored posting, by its fields."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pricematch.catalogue.features import ImageFeatures
from pricematch.catalogue.metadata import MetadataLimits, merged_metadata
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import ANYHOW, Condition, Patch
from pricematch.errors import FieldInvalid
from pricematch.serving.posting_images import names_of


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
        fields: values of those of `Posting` that change, but for metadata and images.
        metadata: how metadata changes; None: they stay.
        images: the bytes of images in place of the stored ones, of which none removes all; None: they stay.
        condition: what must be true of the stored posting.
    """

    posting_id: str
    fields: Mapping[str, Any]
    metadata: MetadataPatch | None = None
    images: Sequence[bytes] | None = None
    condition: Condition = ANYHOW

    def patch(self, forms: Sequence[ImageFeatures]) -> Patch:
        """The same as a store takes it, with the stored forms of the images that it brings."""
        change = partial(self.applied, images=names_of(forms))
        return Patch(self.posting_id, change, [it.stored_form for it in forms], self.condition)

    def applied(self, posting: Posting, images: Sequence[str]) -> Posting:
        """The posting after the change; the hash of an image that is not its first any more goes, unless one comes.

        Args:
            posting: as it is stored.
            images: the digests of the images that the change brings.

        Raises:
            FieldInvalid: it would have neither image nor title, or metadata that may not be.
        """
        shown = posting if self.images is None else posting.with_images(images)
        fields = dict(self.fields)
        if shown.image != posting.image:
            fields.setdefault("image_phash", None)
        if self.metadata is not None:
            fields["metadata"] = merged_metadata(posting.metadata, self.metadata.value, self.metadata.limits)
        changed = replace(shown, **fields)
        if changed.image is None and not changed.title:
            raise FieldInvalid("title", "expected an image or a title to be left, got neither")
        return changed
