"""Formats of images, known by how a file begins: those that are decoded, and the names of those that are not."""

from pricematch.errors import ImageTypeUnsupported

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
MEDIA_TYPES = {name: f"image/{name.lower()}" for name in FORMATS} | {"MPO": "image/jpeg"}

_SIGNATURES = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "BMP": (b"BM",),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"MM*\0", b"II\0*"),
}
_CONVERT = "convert it to JPEG, PNG or WebP"
_RENDER = "render it as PNG or JPEG"
_FRAME = "send one frame of it as JPEG"
_UNPACK = "send the images in it one by one, or import it with the postings"
_NO_IMAGE = "send the image itself; perhaps this was downloaded in its place"
_DECODE = "send the bytes that the text encodes"
_OTHERS: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL", _CONVERT),
    (0, b"\xff\x0a", "JPEG XL", _CONVERT),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000", _CONVERT),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000", _CONVERT),
    (0, b"II\xbc\x01", "JPEG XR", _CONVERT),
    (0, b"8BPS", "Photoshop (PSD)", _CONVERT),
    (0, b"gimp xcf", "GIMP (XCF)", _CONVERT),
    (0, b"\0\0\1\0", "an icon (ICO)", _CONVERT),
    (0, b"\0\0\2\0", "a cursor (CUR)", _CONVERT),
    (0, b"icns", "an icon (ICNS)", _CONVERT),
    (0, b"qoif", "QOI", _CONVERT),
    (0, b"DDS ", "a texture (DDS)", _CONVERT),
    (0, b"\x76\x2f\x31\x01", "OpenEXR", _CONVERT),
    (0, b"#?RADIANCE", "Radiance HDR", _CONVERT),
    (0, b"\x8aMNG", "MNG", _CONVERT),
    (0, b"FLIF", "FLIF", _CONVERT),
    (0, b"BPG\xfb", "BPG", _CONVERT),
    (0, b"SIMPLE  =", "FITS", _CONVERT),
    (128, b"DICM", "DICOM", _CONVERT),
    (0, b"\xd7\xcd\xc6\x9a", "a Windows metafile", _RENDER),
    (40, b" EMF", "a Windows metafile", _RENDER),
    (0, b"FUJIFILMCCD-RAW", "a camera's raw file (RAF)", _CONVERT),
    (0, b"IIRO", "a camera's raw file (ORF)", _CONVERT),
    (0, b"IIU\0", "a camera's raw file (RW2)", _CONVERT),
    *((0, b"P%d" % kind, "PNM", _CONVERT) for kind in range(1, 8)),
    (0, b"%PDF", "PDF", _RENDER),
    (0, b"%!PS", "PostScript (EPS)", _RENDER),
    (0, b"\xc5\xd0\xd3\xc6", "PostScript (EPS)", _RENDER),
    (0, b"PK\3\4", "ZIP", _UNPACK),
    (0, b"PK\5\6", "ZIP", _UNPACK),
    (0, b"\x1f\x8b", "gzip", "send it unpacked"),
    (0, b"BZh", "bzip2", "send it unpacked"),
    (0, b"\xfd7zXZ", "xz", "send it unpacked"),
    (0, b"\x28\xb5\x2f\xfd", "Zstandard", "send it unpacked"),
    (0, b"7z\xbc\xaf\x27\x1c", "7-Zip", _UNPACK),
    (0, b"Rar!", "RAR", _UNPACK),
    (257, b"ustar", "TAR", _UNPACK),
    (0, b"\x1a\x45\xdf\xa3", "a video (WebM or Matroska)", _FRAME),
    (0, b"FLV\1", "a video (FLV)", _FRAME),
    (0, b"\0\0\1\xba", "a video (MPEG)", _FRAME),
    (0, b"\0\0\1\xb3", "a video (MPEG)", _FRAME),
    (0, b"OggS", "Ogg", _FRAME),
    (0, b"ID3", "a sound (MP3)", _NO_IMAGE),
    (0, b"RIFF", "a video or a sound (RIFF)", _FRAME),
    (0, b"/9j/", "an image as text in Base64", _DECODE),
    (0, b"iVBORw0KGgo", "an image as text in Base64", _DECODE),
    (0, b"data:", "an image as a data: URL", _DECODE),
    (0, b"version https://git-lfs", "a pointer of Git LFS", _NO_IMAGE),
    (0, b"MZ", "a program", _NO_IMAGE),
    (0, b"\x7fELF", "a program", _NO_IMAGE),
)
"""Where, which bytes, the name of what has them there, and what to do with it."""
_TEXTS = {
    **dict.fromkeys((b"<!doctype html", b"<html", b"<head", b"<body", b"<script"), "HTML"),
    b"<": "XML",
    b"{": "JSON",
    b"[": "JSON",
}
_HEIC = "HEIC", "convert it to JPEG (iPhones take JPEG with Settings, Camera, Formats, Most Compatible)"
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), _HEIC),
    b"crx ": ("a camera's raw file (CR3)", _CONVERT),
}
_AVIF_BRANDS = (b"avif", b"avis")
TOP_BYTES = 1024
"""Of a file, that are looked at."""


def known_format(image: bytes) -> str | None:
    """The one of `FORMATS` whose first bytes these are, or None."""
    if image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        return "WEBP"
    if any(brand in _AVIF_BRANDS for brand in _brands(image)):
        return "AVIF"
    return next((name for name, starts in _SIGNATURES.items() if image.startswith(starts)), None)


def media_type(top: bytes) -> str:
    """`image/jpeg` and so on, by the first `TOP_BYTES` of a file; raises ImageTypeUnsupported."""
    if (name := known_format(top)) is None:
        raise unsupported(top)
    return MEDIA_TYPES[name]


def unsupported(image: bytes) -> ImageTypeUnsupported:
    """The error for bytes that are none of `FORMATS`: what they are, as far as is known, and what to do."""
    name, advice = _other(image[:TOP_BYTES])
    return ImageTypeUnsupported(f"expected {', '.join(FORMATS)}, got {name}; {advice}")


def _other(top: bytes) -> tuple[str, str]:
    """What begins with these bytes, and what to do with it."""
    if brands := _brands(top):
        heif = next((_BRANDS[brand] for brand in brands if brand in _BRANDS), None)
        return heif or ("a video (MP4 or QuickTime)", _FRAME)
    for at, signature, name, advice in _OTHERS:
        if top.startswith(signature, at):
            return name, advice
    text = top.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if b"<svg" in text:
        return "SVG", _RENDER
    if _readable(text):
        return next((name for start, name in _TEXTS.items() if text.startswith(start)), "text"), _NO_IMAGE
    return "a file of another format", _CONVERT


def _readable(text: bytes) -> bool:
    """Whether bytes are UTF-8 without control characters, but perhaps for a last character that is cut."""
    decoded = text.decode("utf-8", "ignore")
    whole = len(decoded.encode()) > len(text) - 4
    return bool(decoded) and whole and all(letter.isprintable() or letter.isspace() for letter in decoded)


def _brands(image: bytes) -> list[bytes]:
    """The brands of a file in boxes (ISO 14496-12), the major one first; none where it is no such file."""
    if image[4:8] != b"ftyp":
        return []
    end = min(int.from_bytes(image[:4], "big"), len(image), TOP_BYTES)
    return [image[8:12], *(image[at : at + 4] for at in range(16, end - 3, 4))]
