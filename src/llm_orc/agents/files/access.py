"""The files of a run, as its agents may read them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from llm_orc.errors import InternalError
from llm_orc.providers.parts import Attachment

if TYPE_CHECKING:
    from llm_orc.providers.base import Message
    from llm_orc.providers.parts import FileRef


class FileAccess(Protocol):
    """Reads the files of one run, and no others: a file that the run doesn't list is refused.

    All methods raise `FileMissing` if the content is not stored any more.
    """

    def named(self, path: str) -> FileRef:
        """Return the file that the ensemble itself names, by its absolute path."""
        ...

    def content(self, file: FileRef) -> bytes: ...

    def text(self, file: FileRef) -> str:
        """Return its content as text. Raises `ReferenceWithoutValue` if it is none."""
        ...

    def copy(self, file: FileRef) -> str:
        """Return the path of a private copy that programs may read until the run has ended."""
        ...


class NoFiles:
    """The files of a run that has none."""

    def named(self, path: str) -> FileRef:
        raise InternalError(f"the file `{path}` is not among those of the run")

    def content(self, file: FileRef) -> bytes:
        raise InternalError(f"`{file.name}` is not a file of this run")

    def text(self, file: FileRef) -> str:
        raise InternalError(f"`{file.name}` is not a file of this run")

    def copy(self, file: FileRef) -> str:
        raise InternalError(f"`{file.name}` is not a file of this run")


NO_FILES = NoFiles()


def with_attachments(message: Message, files: FileAccess) -> Message:
    """Return the message with its files read. Text goes as UTF-8, however it was stored."""
    if not message.files:
        return message
    attached = tuple(Attachment(one.name, one.media_type, _data_of(one, files)) for one in message.files)
    return replace(message, attachments=(*message.attachments, *attached), files=())


def _data_of(file: FileRef, files: FileAccess) -> bytes:
    return files.text(file).encode() if file.media_type.startswith("text/") else files.content(file)
