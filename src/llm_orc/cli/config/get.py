"""`llm-orc config get`: the value of one setting that counts here."""

from __future__ import annotations

from llm_orc.cli.config.options import key_argument
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, json_option, write_json
from llm_orc.cli.shell.output.streams import note, write_data
from llm_orc.settings.change.key import parse_key, words_of
from llm_orc.settings.layer import dotted


@define_command({1: "nothing is set, and there is no default"})
@key_argument
@json_option
def command(*, key: str, as_json: bool) -> int:
    """Print the value of KEY that counts here: what is set, else the default. `config show` says where it is set.

    \b
    llm-orc config get runs.max_retries
    """

    settings = app_here().settings
    name = dotted(parse_key(key, settings.written))
    within = {inner: value for inner, value in settings.written.items() if inner.startswith(f"{name}.")}
    value = {inner.removeprefix(f"{name}."): found for inner, found in within.items()} or settings.value(name)
    if as_json:
        write_json(value)
    elif value is not None:
        write_data(f"{words_of(value)}\n")
    else:
        note(f"`{name}` is not set, and has no default.")
    return 0 if value is not None else 1
