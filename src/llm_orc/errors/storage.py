"""Errors of the program's own files and databases."""

from __future__ import annotations

from llm_orc.errors.base import LlmOrcError


class StorageError(LlmOrcError):
    """One of the program's files or databases can't be read or written; the message has its path."""

    code = "storage"


class StoreBusy(StorageError):
    """Another process is using this batch file."""

    code = "store_busy"


class UnsafeFile(StorageError):
    """A private file that is a link, not a regular file, or belongs to another user."""

    code = "unsafe_file"
