"""`llm-orc batch`: run an ensemble over many inputs, and manage batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from llm_orc.cli.shell.arguments import EnsembleName
from llm_orc.cli.shell.command_group import LazyGroup, define_group
from llm_orc.cli.table import Row

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS = (
    Row("run", "batch.run", "Run an ensemble on each of many inputs."),
    Row("resume", "batch.resume", "Continue a batch that was stopped."),
    Row("list", "batch.list", "List batches, newest first."),
    Row("status", "batch.status", "Show a batch's progress, failures and cost."),
    Row("results", "batch.results", "Write the finished rows, with their answers."),
    Row("approve", "batch.approvals.approve", "Answer `approve` to what rows ask."),
    Row("reject", "batch.approvals.reject", "Answer `reject` to what rows ask."),
    Row("answer", "batch.approvals.answer", "Answer what rows ask, with any choice or in your own words."),
    Row("cancel", "batch.cancel", "Stop a batch wherever it is worked on."),
    Row("retry-failed", "batch.retry_failed", "Retry the rows that failed."),
    Row("delete", "batch.delete", "Delete a batch and its answers for good."),
)


class BatchGroup(LazyGroup):
    """`llm-orc batch ENSEMBLE` is `llm-orc batch run ENSEMBLE`; an ensemble called `list` needs `run list`."""

    default = "run"

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        ensemble = click.Argument(["ensemble_name"])
        return [
            *super().shell_complete(ctx, incomplete),
            *EnsembleName().shell_complete(ctx, ensemble, incomplete),
        ]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.rows and args[0] not in ctx.help_option_names:
            if not ctx.resilient_parsing and not _has_inputs_or_help(ctx, args):
                self._refuse_misspelt(ctx, *args)
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def _refuse_misspelt(self, ctx: click.Context, name: str, *following: str) -> None:
        """Without inputs it is not an ensemble to run: name the command that was meant, if any."""
        mistake = self.unknown_command(ctx, name, *following)
        if near := self.instead(ctx, name, *following):
            mistake.hint = f"{near} An ensemble needs --inputs."
            raise mistake


def _has_inputs_or_help(ctx: click.Context, args: list[str]) -> bool:
    return any(arg.startswith("--inputs") or arg in ctx.help_option_names for arg in args)


@define_group(COMMANDS, BatchGroup)
def command() -> None:
    """Run an ensemble over many inputs, and manage batches.

    \b
    llm-orc batch ENSEMBLE --inputs FILE       the same as `batch run`
    llm-orc batch resume last                  resume one that was stopped
    llm-orc batch results last > out.jsonl

    BATCH is a batch's id, the start of one, or `last`.
    """
