"""docs/assets/demo.svg: the panel of the README at work, as a terminal shows it."""

from __future__ import annotations

import re
import tempfile
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as ET

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

import sessions
from recorded_terminal import COLUMNS, Terminal
from written_answers import load_answers, serve_answers

PICTURE = sessions.ROOT / "docs" / "assets" / "demo.svg"
COMMAND = 'llm-orc invoke panel -i "40 firms pay us 225 USD a month. Ask for 270?"'
_FONT_FACE = re.compile(r"@font-face \{\{.*?\}\}\s*", flags=re.DOTALL)


def picture(pause_s: float = 0) -> str:
    """Return the panel of the README at work as SVG, without fonts or other external resources."""
    console = Console(
        file=StringIO(), width=COLUMNS, record=True, force_terminal=True, color_system="truecolor", highlight=False
    )
    with tempfile.TemporaryDirectory() as home, serve_answers(load_answers(), pause_s) as url:
        terminal = Terminal(Path(home), "panel", url)
        sessions.write_files(sessions.ROOT / "README.md", terminal)
        lines, code = terminal.run(COMMAND)
        assert code == 0, lines
    prompt = Text.assemble(("$ ", "bold green"), (COMMAND, "bold"))
    for line in [prompt, *map(Text.from_ansi, lines), Text()]:
        for row in line.divide(range(COLUMNS, len(line), COLUMNS)):  # as a terminal wraps
            console.print(row, no_wrap=True)
    layout = _FONT_FACE.sub("", CONSOLE_SVG_FORMAT).replace("Fira Code, monospace", "Menlo, Consolas, monospace")
    return console.export_svg(title="written answers, no model asked", code_format=layout, unique_id="demo")


def words(svg: str) -> list[str]:
    """Return the readable text, with all durations replaced by the same one."""
    elements = ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")  # noqa: S314
    return sessions.steady("\n".join(text for element in elements for text in element.itertext())).split()
