"""`llm-orc batch retry-failed`: ask again for the rows that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from llm_orc.cli.batch.options import (
    BATCH_EXIT_CODES,
    batch_argument,
    limit_options,
    result_options,
    store_option,
)
from llm_orc.cli.shell.command_group import define_command

if TYPE_CHECKING:
    from llm_orc.cli.batch.execution.resume_batch import ResumeOptions


@define_command(BATCH_EXIT_CODES)
@batch_argument
@limit_options
@result_options
@store_option
def command(**asked: Unpack[ResumeOptions]) -> int:
    """Retry the rows that failed; agents that have answered are not asked again.  [default: the last batch]"""
    from llm_orc.cli.batch.execution.resume_batch import resume_batch

    return resume_batch(asked, failed=True)
