"""Files beside a turn's text: which ones each protocol takes, and what stands for them in a request.

https://platform.claude.com/docs/en/build-with-claude/vision, …/pdf-support
https://developers.openai.com/api/docs/guides/images-vision, …/file-inputs
https://ai.google.dev/gemini-api/docs/image-understanding, …/document-processing
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass
from llm_orc.errors import RequestRejected
from llm_orc.net.text import one_line
from llm_orc.providers.parts import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from llm_orc.catalog.rows import DialectName
    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.base import Message, ModelRequest, Target
    from llm_orc.providers.parts import Attachment

_MB = 1_000_000
_COMMON = frozenset({"image/png", "image/jpeg", "image/webp"})


@dataclass(frozen=True, slots=True)
class FilesTaken:
    """What a protocol takes, as its provider documents it; text of any kind goes as text. Sizes are in bytes.

    A server of somebody else, or a small model, may take less: it says so itself.
    """

    images: frozenset[str]  # media types
    most_image_size: int
    most_pdf_size: int
    most_files: int
    most_total_size: int


TAKEN: Mapping[DialectName, FilesTaken] = {
    "anthropic": FilesTaken(_COMMON | {"image/gif"}, 10 * _MB, 24 * _MB, 600, 24 * _MB),
    "openai-chat": FilesTaken(_COMMON | {"image/gif"}, 50 * _MB, 50 * _MB, 500, 50 * _MB),
    "openai-responses": FilesTaken(_COMMON | {"image/gif"}, 50 * _MB, 50 * _MB, 500, 50 * _MB),
    "gemini": FilesTaken(_COMMON | {"image/heic", "image/heif"}, 50 * _MB, 50 * _MB, 3000, 75 * _MB),
}


def problem_of(media_type: str, size: int, dialect: DialectName) -> str | None:
    """Return why a file of this type and size in bytes can't go over the protocol; None: it can."""
    taken = TAKEN[dialect]
    match kind_of(media_type):
        case "text":
            return None
        case "pdf":
            most = taken.most_pdf_size
        case "image" if media_type in taken.images:
            most = taken.most_image_size
        case "image":
            names = ", ".join(sorted(taken.images))
            return f"its protocol (`{dialect}`) takes images of the types {names}, not `{media_type}`"
        case _:
            return f"its protocol (`{dialect}`) takes images, PDF and text, not `{media_type}`"
    if size > most:
        return f"it has {size / _MB:.1f} MB, and the protocol (`{dialect}`) takes {most / _MB:.0f} MB at most"
    return None


def problem_for_cli(media_type: str, size: int, takes_files: DialectName | None) -> str | None:
    """Return why an official CLI can't be given a file; `takes_files` is that of its row. None: it can."""
    if takes_files is not None:
        return problem_of(media_type, size, takes_files)
    return None if kind_of(media_type) == "text" else "it is an official CLI that is given no files but text"


def problem_of_all(sizes: Sequence[int], dialect: DialectName) -> str | None:
    """Return why files of these sizes, each of which is fine, can't go in one request; None: they can."""
    taken = TAKEN[dialect]
    if len(sizes) > taken.most_files:
        return f"its protocol (`{dialect}`) takes {taken.most_files} files at most, not {len(sizes)}"
    if sum(sizes) > taken.most_total_size:
        most = taken.most_total_size / _MB
        return f"they have {sum(sizes) / _MB:.1f} MB, and the protocol (`{dialect}`) takes {most:.0f} MB at most"
    return None


def refuse_files(request: ModelRequest, dialect: DialectName, target: Target) -> None:
    """Raise `RequestRejected` for files that the protocol doesn't take, before anything is sent."""
    files = [file for message in request.messages for file in message.attachments]
    _refuse_each(files, target, lambda file: problem_of(file.media_type, len(file.data), dialect))
    if problem := problem_of_all([len(file.data) for file in files], dialect):
        raise _rejected(f"{target} can't be given {len(files)} files: {problem}")


def refuse_files_for_cli(request: ModelRequest, takes_files: DialectName | None, target: Target) -> None:
    """Raise `RequestRejected` for files that an official CLI isn't given, before anything is sent."""
    files = [file for message in request.messages for file in message.attachments]
    _refuse_each(files, target, lambda file: problem_for_cli(file.media_type, len(file.data), takes_files))


def _refuse_each(
    files: Sequence[Attachment], target: Target, problem_with: Callable[[Attachment], str | None]
) -> None:
    for file in files:
        problem = problem_with(file)
        if problem is None and file.kind == "text" and _text(file) is None:
            problem = "it is no text in UTF-8"
        if problem is not None:
            raise _rejected(f"{target} can't be given `{one_line(file.name, 80)}`: {problem}")


def with_text_inside(message: Message) -> Message:
    """Return the turn with its files of text before its own, for a program that is given nothing but text."""
    texts = [in_words(file) for file in message.attachments if file.kind == "text"]
    others = tuple(file for file in message.attachments if file.kind != "text")
    return replace(message, content="\n\n".join([*texts, message.content]), attachments=others)


def in_words(file: Attachment) -> str:
    """Return a file of text as it stands in a prompt, with its name."""
    return f"{_title(file)}\n\n{_text(file) or ''}"


def _title(file: Attachment) -> str:
    return f"File `{one_line(file.name, 200)}`:"


def _rejected(message: str) -> RequestRejected:
    return RequestRejected(message, hint="Nothing was sent. Convert the file, or use another model.")


def parts_of(
    files: Sequence[Attachment], text: Callable[[str], JsonValue], binary: Callable[[Attachment], JsonValue]
) -> Iterator[JsonValue]:
    """Yield what stands for the files in a protocol that writes text and other files so.

    Where there are several, the name stands before each, so that the prompt can say which it means.
    """
    for file in files:
        if file.kind == "text":
            yield text(in_words(file))
            continue
        if len(files) > 1:
            yield text(_title(file))
        yield binary(file)


def _text(file: Attachment) -> str | None:
    try:
        text = file.data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def base64_of(file: Attachment) -> str:
    """Return the bytes of a file as a request has them."""
    return b64encode(file.data).decode()


def data_url(file: Attachment) -> str:
    """Return the same as a URL."""
    return f"data:{file.media_type};base64,{base64_of(file)}"
