"""What is wrong with a schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_orc.schemas.walk import Path


class BadSchema(ValueError):
    """What is wrong with a schema, at `path` in it."""

    def __init__(self, message: str, path: Path = (), hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.path, self.hint = message, path, hint
