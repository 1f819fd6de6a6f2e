"""`llm-orc config unset`: remove one setting."""

from __future__ import annotations

from llm_orc.app.setup.settings import unset_setting
from llm_orc.cli.config.changes import say_change
from llm_orc.cli.config.options import key_argument, project_option
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here
from llm_orc.settings.change.key import parse_key


@define_command()
@key_argument
@project_option
def command(*, key: str, in_project: bool) -> None:
    """Remove KEY from your own config.yaml; the default, or what another file says, counts again."""

    app = app_here()
    say_change(unset_setting(app, parse_key(key, app.settings.written), in_project=in_project), is_set=False)
