"""`llm-orc config path`: where your own config.yaml is."""

from __future__ import annotations

from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.output.streams import write_data
from llm_orc.storage.paths import user_paths


@define_command()
def command() -> None:
    """Print where your own config.yaml is, or would be."""
    from llm_orc.settings.environment import ProcessEnvironment

    here = ProcessEnvironment.here()
    write_data(f"{user_paths(here.environ, here.platform, here.home).config / 'config.yaml'}\n")
