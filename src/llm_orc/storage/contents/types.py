"""What type a file is, by its content first: a suffix can be wrong, and a provider looks at the content."""

from __future__ import annotations

from pathlib import PurePath

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"BM", "image/bmp"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"\x7fELF", "application/x-executable"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftyp", "video/mp4"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_OFFICE = {
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
_TEXT = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".html": "text/html",
    ".htm": "text/html",
    ".xml": "text/xml",
    ".css": "text/css",
}
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_PDF_WITHIN = 1024  # bytes: readers take what stands before the header
UNKNOWN = "application/octet-stream"
ENDINGS = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "application/pdf": ".pdf",
    "text/plain": ".txt",
}
"""The suffixes of types, for a content without a name."""


def type_of_content(data: bytes, name: str = "") -> str:
    """Return the media type, such as `image/png`. Text is what can be read as text: see `text_of`."""
    suffix = PurePath(name).suffix.lower()
    if data[:4] == b"RIFF" and data[8:12] in _RIFF:
        return _RIFF[data[8:12]]
    found = next((kind for at, magic, kind in _MAGIC if data[at : at + len(magic)] == magic), None)
    if found == "application/zip":
        return _OFFICE.get(suffix, found)
    if found is not None and (found != "image/bmp" or text_of(data) is None):
        return found
    if b"%PDF-" in data[:_PDF_WITHIN] and text_of(data) is None:
        return "application/pdf"
    if text_of(data) is not None:
        return _TEXT.get(suffix, "text/plain")
    return UNKNOWN


def text_of(data: bytes) -> str | None:
    """Return the content as text: UTF-8, or what its mark at the beginning says; None: it is no text.

    A NUL marks a binary file that happens to decode.
    """
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
