"""`llm-orc completion`: the script that makes a shell complete commands, options and names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from llm_orc.cli.root import root
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.program import COMPLETE_VARIABLE, PROGRAM


@define_command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script that makes SHELL complete commands, options, and names of ensembles and runs.

    \b
    llm-orc completion bash > ~/.local/share/bash-completion/completions/llm-orc
    llm-orc completion zsh > "${fpath[1]}/_llm-orc"
    llm-orc completion fish > ~/.config/fish/completions/llm-orc.fish
    """
    complete = get_completion_class(shell)
    assert complete is not None
    click.echo(complete(root, {}, PROGRAM, COMPLETE_VARIABLE).source())
