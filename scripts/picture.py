"""docs/assets/demo.svg: the panel of the README at work, as a terminal shows it. It moves, then stays."""

from __future__ import annotations

import tempfile
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from rich.console import Console
from rich.text import Text

import sessions
from recorded_terminal import COLUMNS, Frame, Terminal
from written_answers import load_answers, serve_answers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.style import Style

PICTURE = sessions.ROOT / "docs" / "assets" / "demo.svg"
COMMAND = 'llm-orc invoke panel "40 firms pay us 225 USD a month. Ask for 270?"'
START_S = 0.8  # how long only the command is there
END_S = 8.0  # how long the last frame stays before it begins again
_LAST = "last"
_WIDTH, _LINE, _MARGIN, _BAR = COLUMNS * 9.64, 22.0, 16.0, 34.0  # pixels, at a font size of 16

_STYLE = """\
text { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 16px; white-space: pre }
text, .circle { fill: #c9d1d9 } .back { fill: #161b22; stroke: #30363d } .bar { fill: #8b949e; font-size: 13px }
.bold { font-weight: bold } .italic { font-style: italic } .dim { opacity: .7 }
.green { fill: #56d364 } .cyan { fill: #39c5cf } .blue { fill: #79c0ff } .yellow { fill: #e3b341 }
.red { fill: #ff7b72 } .magenta { fill: #d2a8ff }
@media (prefers-color-scheme: light) {
  text { fill: #24292f } .back { fill: #ffffff; stroke: #d0d7de } .bar { fill: #57606a }
  .green { fill: #116329 } .cyan { fill: #1b7c83 } .blue { fill: #0550ae } .yellow { fill: #7d4e00 }
  .red { fill: #cf222e } .magenta { fill: #8250df }
}
@media (prefers-reduced-motion: reduce) { .film { animation: none !important } }
"""


def picture(pause_s: float = 0) -> str:
    """Return the panel of the README at work as SVG, without fonts or other external resources."""
    with tempfile.TemporaryDirectory() as home, serve_answers(load_answers(), pause_s) as url:
        terminal = Terminal(Path(home), "panel", url)
        sessions.write_files(sessions.ROOT / "README.md", terminal)
        frames, code = terminal.watch(COMMAND)
        assert code == 0, frames[-1]
    return _svg(_tight(frames))


def words(svg: str) -> list[str]:
    """Return the readable text of the last frame, with all durations replaced by the same one."""
    groups = [group for group in ET.fromstring(svg).iter() if group.get("id") == _LAST]  # noqa: S314
    return sessions.steady("\n".join(text for group in groups for text in group.itertext())).split()


def _svg(frames: Sequence[Frame]) -> str:
    shown = [_rows(frame) for frame in frames]
    height = max(map(len, shown)) * _LINE + _MARGIN
    total = frames[-1].at_s + END_S
    steps = "".join(
        f"{100 * frame.at_s / total:.2f}% {{ transform: translateY({-height * index:.0f}px) }}\n"
        for index, frame in enumerate(frames)
    )
    groups = "".join(_group(rows, index * height, index == len(shown) - 1) for index, rows in enumerate(shown))
    width = _WIDTH + 2 * _MARGIN
    circles = "".join(
        f'<circle class="circle" cx="{_MARGIN + 6 + 18 * n}" cy="17" r="5" opacity=".4"/>' for n in range(3)
    )
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve"
  viewBox="0 0 {width:.0f} {height + _BAR:.0f}" width="{width:.0f}">
<style>
{_STYLE}@keyframes film {{
{steps}}}
.film {{ animation: film {total:.2f}s step-end infinite }}
</style>
<rect class="back" x=".5" y=".5" width="{width - 1:.0f}" height="{height + _BAR - 1:.0f}" rx="8"/>
{circles}
<text class="bar" x="{width / 2:.0f}" y="21" text-anchor="middle">written answers; no model was asked</text>
<svg x="{_MARGIN}" y="{_BAR}" width="{_WIDTH:.0f}" height="{height:.0f}">
<g class="film" transform="translate(0 {-height * (len(frames) - 1):.0f})">
{groups}</g>
</svg>
</svg>
"""


def _tight(frames: Sequence[Frame]) -> list[Frame]:
    """Return the frames that show something new, without the time that the program took to start and to end."""
    new = [frame for before, frame in pairwise([Frame(0, [""]), *frames]) if frame.lines != before.lines]
    late_s = new[1].at_s - START_S
    return [Frame(max(0, frame.at_s - late_s), frame.lines) for frame in new]


def _rows(frame: Frame) -> list[Text]:
    """Return the command and a frame's lines, divided as a terminal wraps them."""
    prompt = Text.assemble(("$ ", "bold green"), (COMMAND, "bold"))
    lines = [prompt, *map(Text.from_ansi, frame.lines)]
    return [row for line in lines for row in line.divide(range(COLUMNS, len(line), COLUMNS))]


def _group(rows: Sequence[Text], top: float, is_last: bool) -> str:
    name = f' id="{_LAST}"' if is_last else ""
    texts = [
        f'<text y="{top + _LINE * number + 16:.0f}">{spans}</text>\n'
        for number, row in enumerate(rows)
        if (spans := _spans(row))
    ]
    return f"<g{name}>\n{''.join(texts)}</g>\n"


def _spans(row: Text) -> str:
    return "".join(
        f'<tspan class="{classes}">{escape(text)}</tspan>' if classes else escape(text)
        for text, style, _ in row.render(Console())
        if text.strip("\n")
        for classes in [_classes(style)]
    )


# What Rich calls the colours of escape sequences, and the picture's style sheet.
_NAMES = {
    f"color({number})": name
    for number, name in enumerate(["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"])
}


def _classes(style: Style | None) -> str:
    if style is None:
        return ""
    colour = style.color.name if style.color and not style.color.is_default else ""
    colour = _NAMES.get(colour, colour)
    marks = [name for name in ("bold", "italic", "dim") if getattr(style, name)]
    return " ".join([*marks, *([colour] if colour else [])])
