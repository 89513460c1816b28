"""Puts postings as the service does."""

from dataclasses import replace

from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Kept, Put
from pricematch.errors import ImageError
from pricematch.serving.intake import Intake, Offered


def put(intake: Intake, offered: Offered) -> tuple[Posting, Kept, int]:
    """Put a posting as the service does: its image first, then the posting and the version in which it is found."""
    posting = offered.posting
    if offered.image is not None:
        [found] = intake.images.ensure_each([offered.image], intake.snapshots.current.matcher.wanted_of_stored)
        if isinstance(found, ImageError):
            raise found
        posting = replace(posting, image=found.hex())
    kept, version = intake.put(Put(posting, offered.image, offered.condition))
    return posting, kept, version
