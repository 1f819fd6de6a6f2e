"""`llm-orc batch resume`: continue a batch that was stopped."""

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
    """Resume a batch that was stopped or cancelled, or that has spent its budget.  [default: the last batch]

    It needs neither the inputs nor the ensemble's file: both are stored. Limits that are not given stay the same.
    """
    from llm_orc.cli.batch.execution.resume_batch import resume_batch

    return resume_batch(asked, failed=False)
