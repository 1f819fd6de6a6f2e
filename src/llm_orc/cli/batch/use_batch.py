"""Open the store of batches with one batch of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from llm_orc.cli.shell.options import app_here
from llm_orc.errors import BatchNotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.app.batches.admin import BatchAdmin

_T = TypeVar("_T")


def use_batch(store: str | None, batch: str, use: Callable[[BatchAdmin, str], _T]) -> _T:
    """Open the store with the batch that `batch` names. Raises `BatchNotFound`."""
    from llm_orc.app.batches.admin import open_batches

    with open_batches(app_here(), store) as batches:
        if batches is None:
            raise BatchNotFound("there is no batch yet", hint="llm-orc batch ENSEMBLE --inputs FILE")
        return use(batches, batches.batches.find(batch))
