"""Text from a file or standard input, for the command line: what is read, and what is refused as no text."""

from __future__ import annotations

from pathlib import Path

from llm_orc.cli.shell.input.standard_input import STANDARD_INPUT, STDIN, read_standard_input
from llm_orc.errors import InputError

LARGEST = 10 * 1024 * 1024  # bytes


def read_text_file(path: str, what: str) -> str:
    """Return the file's text without its last line end; `-` is standard input, and not empty then.

    Raises `InputError`, which begins with `what`.
    """
    if not path:
        raise InputError(
            f"{what} names no file after `@`", hint="Write `KEY=@FILE`, or `KEY=@@…` for text with `@`."
        )
    if path == STDIN:
        text = text_of(read_standard_input(LARGEST), f"{what}: {STANDARD_INPUT}")
        if not text.strip():
            raise InputError(
                f"{what}: {STANDARD_INPUT} is empty", hint="Check the command that was to write to it."
            )
        return text
    try:
        data = read_bytes(Path(path).expanduser())
    except (OSError, RuntimeError, ValueError) as e:
        why = e.strerror if isinstance(e, OSError) and e.strerror else e
        raise InputError(f"{what}: can't read `{path}`: {why}") from e
    return text_of(data, f"{what}: `{path}`")


def read_bytes(path: Path) -> bytes:
    """Return the content, or a little more than `LARGEST`. Raises `OSError`, `ValueError`."""
    with path.open("rb") as file:
        return file.read(LARGEST + 1)


def text_of(data: bytes, what: str) -> str:
    """Return the text without its last line end. Raises `InputError`, which begins with `what`.

    A NUL marks a binary file that happens to decode.
    """
    if len(data) > LARGEST:
        raise InputError(
            f"{what} is larger than {LARGEST // (1024 * 1024)} MB",
            hint="Nothing was sent. Shorten it, or split it into several runs.",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise InputError(
            f"{what} is not UTF-8 text: byte {e.start + 1:,} can't be read",
            hint="Save it as UTF-8 text; a PDF, an image or an archive has to be converted to text first.",
        ) from e
    if "\0" in text:
        raise InputError(f"{what} is a binary file, not text", hint="Give it as UTF-8 text.")
    return without_line_end(text)


def without_line_end(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")
