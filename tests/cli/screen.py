"""What stands on a terminal's screen after a program has written to it: enough of a VT100 for our own output."""

from __future__ import annotations

import re

from llm_orc.cli.shell.output.tables import cell_width

_PIECE = re.compile(r"\x1b\[(?P<number>\??[0-9;]*)(?P<code>[A-Za-z])|\x1b[=>]|(?P<text>.)", re.DOTALL)


class Screen:
    """A terminal of so many columns and rows. `shown` is all that it has displayed, scrolled away or not."""

    def __init__(self, columns: int, rows: int = 24) -> None:
        self.columns, self.rows = columns, rows
        self._lines: list[str] = [""]
        self._row = self._column = 0
        self.shows_cursor = True

    @property
    def shown(self) -> str:
        lines = [line.rstrip() for line in self._lines]
        return "\n".join(lines).rstrip("\n") + "\n"

    def feed(self, output: str) -> str:
        """Take what the program wrote, and return `shown`."""
        for piece in _PIECE.finditer(output):
            if piece["text"] is not None:
                self._character(piece["text"])
            elif piece["code"] is not None:
                self._control(piece["code"], piece["number"])
        return self.shown

    def _character(self, text: str) -> None:
        if text == "\r":
            self._column = 0
        elif text == "\n":  # the terminal's driver adds the return
            self._down()
            self._column = 0
        elif text == "\b":
            self._column = max(0, self._column - 1)
        elif text == "\t":
            self._put(" " * (8 - self._column % 8))
        elif text.isprintable() or cell_width(text) == 0:
            if self._column + cell_width(text) > self.columns:
                self._down()
                self._column = 0
            self._put(text)
        elif text != "\x07":
            raise AssertionError(f"a character that steers the terminal: {text!r}")

    def _put(self, text: str) -> None:
        line = _cells(self._lines[self._row])
        cells = [cell for c in text for cell in (c, *[""] * (cell_width(c) - 1))]
        line += [" "] * (self._column - len(line))
        line[self._column : self._column + len(cells)] = cells
        self._lines[self._row] = "".join(line)
        self._column += len(cells)

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self._lines):
            self._lines.append("")

    def _control(self, code: str, number: str) -> None:
        match code:
            case "A":
                top = max(0, len(self._lines) - self.rows)
                self._row = max(top, self._row - int(number or 1))
            case "B":
                for _ in range(int(number or 1)):
                    self._down()
            case "C":
                self._column = min(self.columns - 1, self._column + int(number or 1))
            case "D":
                self._column = max(0, self._column - int(number or 1))
            case "K":
                kept = [] if number == "2" else _cells(self._lines[self._row])[: self._column]
                self._lines[self._row] = "".join(kept)
            case "J":
                self._lines[self._row] = "".join(_cells(self._lines[self._row])[: self._column])
                del self._lines[self._row + 1 :]
            case "h" | "l" if number == "?25":
                self.shows_cursor = code == "h"
            case _:
                pass


def _cells(line: str) -> list[str]:
    """Return what stands in each cell; the second cell of a wide character is empty."""
    return [cell for c in line for cell in (c, *[""] * (cell_width(c) - 1))]
