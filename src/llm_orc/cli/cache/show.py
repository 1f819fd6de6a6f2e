"""`llm-orc cache show`: where the answers are, how many, and their size."""

from __future__ import annotations

from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, json_option, write_json
from llm_orc.cli.shell.output.streams import write_data
from llm_orc.formats.figures import count
from llm_orc.formats.printable import printable


@define_command()
@json_option
def command(as_json: bool) -> None:
    """Show where the answers of agents with `cache` are, how many there are, and their size."""
    from llm_orc.app.cache.store import MOST_BYTES, AnswerStore, CacheSize

    path = app_here().paths.answers_database
    size = CacheSize(0, 0)
    if path.exists():
        store = AnswerStore(path)
        size = store.size()
        store.close()
    if as_json:
        write_json(
            {"file": str(path), "answers": size.answers, "bytes": size.size_bytes, "most_bytes": MOST_BYTES}
        )
        return
    used, most = size.size_bytes / 1024**2, MOST_BYTES // 1024**2
    write_data(printable(f"{path}: {count(size.answers, 'answer')}, {used:.1f} MB of at most {most} MB\n"))
