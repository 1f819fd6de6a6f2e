"""The results of a batch that the store has: to a file, never over its inputs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.cli.shell.output.files import refuse_to_replace
from llm_orc.cli.shell.output.streams import note
from llm_orc.dataclass import dataclass
from llm_orc.storage.atomic import write_where_named

if TYPE_CHECKING:
    from llm_orc.app.wiring import App
    from llm_orc.formats.batch import Columns


@dataclass(frozen=True, slots=True)
class Showing:
    """How a batch and its results are shown.

    `form` is one of those of `row_format_option`; `file` None: standard output.
    """

    form: str
    file: Path | None
    ordered: bool
    quiet: bool

    @property
    def in_order(self) -> bool:
        """Whether rows are in the order of the input. Answers alone always are, since they have no number."""
        return self.ordered or self.form in {"text", "markdown"}


def refuse_to_replace_inputs(app: App, batch: str, store: str | None, file: Path | None) -> None:
    """Raise `UsageMistake` if results would overwrite the inputs of a batch. Raises `BatchNotFound`."""
    from llm_orc.app.batches.admin import find_batch

    if file is not None:
        refuse_to_replace(file, find_batch(app, batch, store).batch.inputs)


def columns_of(app: App, store: str | None, batch_id: str) -> Columns:
    from llm_orc.app.batches.admin import open_batches

    with open_batches(app, store) as batches:
        assert batches is not None
        return batches.columns(batch_id)


def write_file(app: App, store: str | None, batch_id: str, showing: Showing) -> None:
    from llm_orc.app.batches.admin import open_batches
    from llm_orc.cli.batch.execution.output import row_texts

    assert showing.file is not None
    with open_batches(app, store) as batches:
        assert batches is not None
        rows = batches.rows_in_order(batch_id) if showing.in_order else batches.rows(batch_id)
        texts = row_texts(rows, partial(batches.columns, batch_id), showing.form)
        write_where_named(showing.file, (text.encode("utf-8", "backslashreplace") for text in texts))
    note(f"Written to {showing.file}")
