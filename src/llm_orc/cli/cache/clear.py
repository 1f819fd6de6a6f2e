"""`llm-orc cache clear`: delete all answers in the cache."""

from __future__ import annotations

from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here
from llm_orc.cli.shell.output.streams import note
from llm_orc.formats.figures import count


@define_command()
def command() -> None:
    """Delete all answers in the cache. Runs and their results stay as they are."""
    from llm_orc.app.cache.store import AnswerStore

    path = app_here().paths.answers_database
    if not path.exists():
        note("The cache is empty.")
        return
    store = AnswerStore(path)
    before = store.clear()
    store.close()
    note(f"Deleted {count(before.answers, 'answer')} from the cache.")
