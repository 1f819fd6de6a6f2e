"""Which types of file a model can be given, by the protocol that it is asked over."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.app.access.models import Model
    from llm_orc.catalog.rows import DialectName
    from llm_orc.providers.parts import FileRef

TAKEN: Mapping[DialectName, frozenset[str]] = {}
"""The media types that each dialect has a place for; `text/*` stands for all texts."""


def is_taken(file: FileRef, model: Model) -> bool:
    """Return whether the protocol of the model has a place for the file. The model itself may still refuse it."""
    kind = file.media_type
    whole = f"{kind.partition('/')[0]}/*"
    return all({kind, whole} & TAKEN.get(dialect, frozenset()) for dialect in model.connection.dialects)
