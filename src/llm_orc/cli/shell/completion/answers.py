"""Answer the completion script of a shell: what may come next on its command line."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stderr, suppress
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete, split_arg_string

from llm_orc.cli.shell.completion.paths import paths
from llm_orc.cli.shell.program import COMPLETE_VARIABLE, PROGRAM

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

LINE = "_LLM_ORC_LINE"  # the command line up to the cursor, as the script for bash passes it
BREAKS = "_LLM_ORC_BREAKS"  # the characters at which bash divides words


def answer(root: click.Command, instruction: str) -> int:
    """Write the completions for a request such as `bash_complete`.

    Whatever goes wrong, nothing is written: it would stand in the middle of what a person types.
    """
    text = ""
    with suppress(Exception), redirect_stderr(StringIO()):
        shell = _SHELLS[instruction.removesuffix("_complete")]
        text = shell(root, {}, PROGRAM, COMPLETE_VARIABLE).complete()
    if text:
        sys.stdout.write(f"{text}\n")
    return 0


class _Files(ShellComplete):
    """Where `-C` was given, the shell sees other files than the command, so this program offers them."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        here = Path.cwd()
        items = super().get_completions(args, incomplete)
        if Path.cwd() == here or not any(item.type in {"file", "dir"} for item in items):
            return items
        return [*paths(str(items[0].value))]


class _Bash(_Files, BashComplete):
    """Bash divides words at `:` and `=` too, and replaces only what is behind the last of them."""

    _word = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ.get(LINE)
        if line is None:  # the script of an earlier release
            return super().get_completion_args()
        words = split_arg_string(line)[1:]
        self._word = "" if not words or line[-1:].isspace() else words.pop()
        return words, self._word

    def format_completion(self, item: CompletionItem) -> str:
        breaks = os.environ.get(BREAKS, "")
        value = str(item.value)
        if ":" in breaks and ":" in self._word:
            value = value.removeprefix(self._word[: self._word.rindex(":") + 1])
        return f"{item.type},{value}"


class _WholeWord(_Files):
    """Zsh and fish replace the whole word: `--option=` belongs to it."""

    _before = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        words, word = super().get_completion_args()
        option, equals, _ = word.partition("=")
        self._before = f"{option}=" if equals and option.startswith("--") else ""
        return words, word

    def format_completion(self, item: CompletionItem) -> str:
        item.value = f"{self._before}{item.value}"
        return super().format_completion(item)


class _Zsh(_WholeWord, ZshComplete):
    pass


class _Fish(_WholeWord, FishComplete):
    pass


_SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}
