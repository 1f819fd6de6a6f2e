"""Errors of files and databases of ours."""

from __future__ import annotations

from llm_orc.errors.base import LlmOrcError


class StorageError(LlmOrcError):
    """A file or database of ours can't be read or written; the message has its path."""

    code = "storage"


class StoreBusy(StorageError):
    """Another process works on this file of batches."""

    code = "store_busy"


class UnsafeFile(StorageError):
    """A private file that is a link, not a regular file, or not its user's own."""

    code = "unsafe_file"
