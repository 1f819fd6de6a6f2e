"""Read a file whose text an option asks for."""

from __future__ import annotations

from pathlib import Path

from llm_orc.errors import InputError

LARGEST = 10 * 1024 * 1024  # bytes


def read_text_file(path: str, what: str) -> str:
    """Return the file's text without its last line end. Raises `InputError`, which begins with `what`."""
    if not path:
        raise InputError(
            f"{what} names no file after `@`", hint="Write `KEY=@FILE`, or `KEY=@@…` for text with `@`."
        )
    try:
        with Path(path).expanduser().open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, RuntimeError, ValueError) as e:
        why = e.strerror if isinstance(e, OSError) and e.strerror else e
        raise InputError(f"{what}: can't read `{path}`: {why}") from e
    if len(data) > LARGEST:
        raise InputError(f"{what}: `{path}` is larger than {LARGEST // (1024 * 1024)} MB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise InputError(
            f"{what}: `{path}` is not UTF-8 text: byte {e.start + 1:,} can't be read",
            hint="Save it as UTF-8 text.",
        ) from e
    if "\0" in text:
        raise InputError(f"{what}: `{path}` is a binary file, not text")
    return text.removesuffix("\n").removesuffix("\r")
