"""`llm-orc config set`: change one setting, with the checks that reading makes."""

from __future__ import annotations

import click

from llm_orc.app.setup.settings import set_setting
from llm_orc.cli.config.changes import say_change
from llm_orc.cli.config.options import key_argument, project_option
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here
from llm_orc.settings.change.key import parse_key


@define_command()
@key_argument
@click.argument("value", metavar="VALUE")
@project_option
def command(*, key: str, value: str, in_project: bool) -> None:
    """Set KEY to VALUE in your own config.yaml, and keep everything else in it, comments too.

    VALUE is written as in YAML: a number, `true`, text, `[a, b]`, or `null` for none. An API key is not
    a setting: `llm-orc auth add` stores it.

    \b
    llm-orc config set runs.max_cost 0.50
    llm-orc config set model_profiles.default.provider ollama
    llm-orc config set runs.max_calls 20 --project
    """

    app = app_here()
    say_change(set_setting(app, parse_key(key, app.settings.written), value, in_project=in_project))
