"""Bodies of requests: images and forms, and files that are sent from the disk while somebody is told how far it is."""

import io
import json
import os
import tempfile
import zipfile
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast

from pricematch.client.calls import Content

Image: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO
"""An image: the path of a file, its bytes, or an open file."""


@dataclass(frozen=True, slots=True)
class ImageUrl:
    """Where an image is, for the service to fetch; its setting `image_hosts` must name the host."""

    url: str


Images: TypeAlias = Image | ImageUrl | Sequence[Image] | Sequence[ImageUrl]
"""The image of a posting; or several, the main one first."""
Told: TypeAlias = Callable[[int, int], None]
"""Is told how much is done, and of how much."""
Filter: TypeAlias = str | Mapping[str, Any]
"""What must hold of a posting: in the short form such as `seller=acme;price=10..20`, or as JSON has it."""
_NAME = "image"


def image_bytes(image: Image) -> bytes:
    """The bytes of an image."""
    if isinstance(image, bytes):
        return image
    if isinstance(image, str | os.PathLike):
        return Path(image).read_bytes()
    return image.read()


def image_name(image: Image) -> str:
    """The name of an image's file, if it has one."""
    path = image if isinstance(image, str | os.PathLike) else getattr(image, "name", None)
    return Path(path).name if isinstance(path, str | os.PathLike) and Path(path).name else _NAME


def present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields without those that are None."""
    return {name: value for name, value in fields.items() if value is not None}


def form(texts: Mapping[str, str | Sequence[str] | None], images: Mapping[str, Sequence[Image]]) -> Content:
    """A form of text fields, without those that are None, and of images."""
    files = [(name, (image_name(it), image_bytes(it))) for name, each in images.items() for it in each]
    return {"data": present(texts), "files": files}


def each_image(images: Images | None) -> tuple[list[Image], list[ImageUrl]]:
    """The images of a posting that are sent, or that the service is to fetch.

    Raises ValueError for some of both, and for a list of none: one that came out empty is not to remove what there is.
    """
    several = isinstance(images, Sequence) and not isinstance(images, str | bytes)
    each = list(cast("Sequence[Image | ImageUrl]", images)) if several else [] if images is None else [images]
    urls = [it for it in each if isinstance(it, ImageUrl)]
    sent = [cast("Image", it) for it in each if not isinstance(it, ImageUrl)]
    if several and not each:
        raise ValueError("expected images, got an empty list; None is no image")
    if urls and sent:
        raise ValueError("expected images, or URLs of images, got some of both")
    return sent, urls


def image_fields(images: Images | None) -> dict[str, str | list[str]]:
    """The images of a posting by the fields that JSON has for them; one is no list."""
    sent, urls = each_image(images)
    if urls:
        return {"image_url": _one_or_more([it.url for it in urls])}
    return {"image": _one_or_more([b64encode(image_bytes(it)).decode() for it in sent])} if sent else {}


def _one_or_more(texts: list[str]) -> str | list[str]:
    return texts[0] if len(texts) == 1 else texts


def as_json(value: Filter | None) -> str | None:
    """An object, or a text as it is, for a form or an address."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False)


class Upload(io.BufferedReader):
    """A file that is sent, piece by piece as it is read.

    Args:
        path: of the file.
        told: is called with the bytes that were read of it, and how many it has.
    """

    def __init__(self, path: str | os.PathLike[str], told: Told) -> None:
        super().__init__(io.FileIO(path))
        self._told, self._size = told, os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes."""
        piece = super().read(size)
        if piece:
            self._told(self.tell(), self._size)
        return piece


def zipped(folder: Path) -> Path:
    """A ZIP file for the time being with all files below a folder, as they are; raises ValueError where none is."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        raise ValueError(f"expected images below {folder}, found no file")
    handle, name = tempfile.mkstemp(suffix=".zip", prefix="pricematch-")
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", strict_timestamps=False) as archive:
            for path in files:
                archive.write(path, path.relative_to(folder).as_posix())
    except BaseException:
        Path(name).unlink()
        raise
    return Path(name)
