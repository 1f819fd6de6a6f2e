"""`llm-orc conversations export`: write a whole conversation to a file or to standard output."""

from __future__ import annotations

from pathlib import Path

from llm_orc.app.conversations.archive import get_conversation
from llm_orc.cli.conversations.arguments import agent_option, name_argument
from llm_orc.cli.conversations.values import conversation_document
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here
from llm_orc.cli.shell.output.format_option import format_option
from llm_orc.cli.shell.output.streams import note, write_data
from llm_orc.cli.shell.output_options import output_option
from llm_orc.storage.atomic import write_where_named


@define_command()
@name_argument
@agent_option
@format_option(("markdown", "json"), "markdown", "How to write it.")
@output_option
def command(name: str, agent: str | None, format_name: str, output_file: str | None) -> None:
    """Write a whole conversation to a file or to standard output.  [default: the last one]"""
    from llm_orc.formats.conversation import as_markdown

    record = get_conversation(app_here(), name, agent=agent)
    text = (
        conversation_document(record) if format_name == "json" else as_markdown(record.summary.name, record.turns)
    )
    if output_file is None:
        write_data(text)
    else:
        write_where_named(Path(output_file).absolute(), text.encode("utf-8", "backslashreplace"))
        note(f"Written to {output_file}")
