"""Postings as lines of NDJSON, which `PostingRows` makes the same postings of."""

import json
from collections.abc import Mapping
from typing import Any

from pricematch.catalogue.byte_escapes import decode_byte_escapes, encode_byte_escapes
from pricematch.catalogue.labels import says_nothing, strip_blanks
from pricematch.catalogue.postings import Posting


def posting_line(posting: Posting) -> bytes:
    """The line of a posting, with its end; what it lacks is left out."""
    fields: Mapping[str, Any] = {
        "posting_id": posting.posting_id,
        "image": None if posting.more_images else posting.image,
        "images": posting.images if posting.more_images else None,
        "title": _written(posting.title) if posting.title else None,
        "image_phash": posting.image_phash,
        "label_group": posting.label_group,
        "metadata": posting.metadata.as_json() or None,
    }
    present = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(present, ensure_ascii=False).encode() + b"\n"


def _written(title: str) -> str:
    """A title as it is read from a file: as it is, unless it would be read as another one or as nothing."""
    as_it_is = "\0" not in title and decode_byte_escapes(title) == title and not says_nothing(strip_blanks(title))
    return title if as_it_is else encode_byte_escapes(title)
