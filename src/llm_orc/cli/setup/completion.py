"""`llm-orc completion`: the script that makes a shell complete commands, options and names."""

from __future__ import annotations

import click

from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.completion.scripts import SCRIPTS
from llm_orc.cli.shell.output.streams import write_data


@define_command()
@click.argument("shell", type=click.Choice([*SCRIPTS]))
def command(shell: str) -> None:
    """Print the script that makes SHELL complete commands, options, files, and names of ensembles, runs and so on.

    \b
    llm-orc completion bash > ~/.local/share/bash-completion/completions/llm-orc
    llm-orc completion zsh > "${fpath[1]}/_llm-orc"
    llm-orc completion fish > ~/.config/fish/completions/llm-orc.fish
    """
    write_data(SCRIPTS[shell])
