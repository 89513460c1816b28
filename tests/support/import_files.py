"""Files of an import: a CSV of postings and a ZIP of images."""

import io
import zipfile
from collections.abc import Mapping


def csv_of(*rows: tuple[str, str, str]) -> bytes:
    """A file of postings: id, image, title."""
    return "".join(f"{','.join(row)}\n" for row in (("posting_id", "image", "title"), *rows)).encode()


def zip_of(contents: Mapping[str, bytes]) -> bytes:
    """A ZIP file of images."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as writer:
        for name, content in contents.items():
            writer.writestr(name, content)
    return packed.getvalue()
