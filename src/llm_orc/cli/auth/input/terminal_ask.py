"""The terminal side of a sign-in: shows the address, opens the browser, reads what is pasted."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import TYPE_CHECKING

from llm_orc.cli.shell.output.streams import note, write_data
from llm_orc.cli.shell.prompts import person_is_here
from llm_orc.formats.figures import seconds
from llm_orc.formats.printable import unmistakable

if TYPE_CHECKING:
    from llm_orc.auth.oauth.device import DeviceCode

_LONGEST_LINE = 64 * 1024
_TO_OPEN_S = 1.0


class TerminalAsk:
    """Messages go to stderr; the page's address goes to stdout, unless a JSON document is written there."""

    def __init__(self, *, stdout_is_taken: bool) -> None:
        self._stdout_is_taken = stdout_is_taken

    @property
    def is_interactive(self) -> bool:
        return person_is_here()

    def show_url(self, url: str) -> None:
        note("Sign in on this page:")
        self._show(url)

    def open_browser(self, url: str) -> bool:
        """If the browser's command stays in the foreground, the page counts as open: don't wait until it ends."""
        outcome: list[bool] = []
        opening = threading.Thread(target=lambda: outcome.append(_open(url)), daemon=True)
        opening.start()
        opening.join(_TO_OPEN_S)
        return outcome[0] if outcome else True

    async def paste(self, prompt: str) -> str:
        sys.stderr.write(prompt)
        sys.stderr.flush()
        try:
            line = await _line()
        except asyncio.CancelledError:
            note()  # what follows starts on a new line
            raise
        if not line:
            raise EOFError
        return line.strip()

    def show_device_code(self, device: DeviceCode) -> None:
        note("On any device, open this page and type the code:")
        self._show(device.verification_uri)
        self._show(device.user_code)
        note(
            f"The code is valid for {seconds(device.expires_in_s)}. Only enter it for a sign-in that you started."
        )

    def progress(self, words: str) -> None:
        note(unmistakable(words))

    def _show(self, line: str) -> None:
        if self._stdout_is_taken:
            note(unmistakable(line))
        else:
            write_data(unmistakable(line) + "\n")


def _open(url: str) -> bool:
    import webbrowser

    try:
        return webbrowser.open(url)
    except (webbrowser.Error, OSError):
        return False


async def _line() -> str:
    """Return the next line of standard input, empty at its end. After cancelling, no reader is left behind."""
    if sys.platform == "win32":
        return await _line_by_thread()
    loop = asyncio.get_running_loop()
    descriptor = sys.stdin.fileno()
    line: asyncio.Future[bytes] = loop.create_future()
    read = bytearray()

    def readable() -> None:
        piece = os.read(descriptor, _LONGEST_LINE)
        read.extend(piece)
        if not line.done() and (not piece or piece.endswith(b"\n") or len(read) > _LONGEST_LINE):
            line.set_result(bytes(read))

    loop.add_reader(descriptor, readable)
    try:
        return (await line).decode("utf-8", "replace")
    finally:
        loop.remove_reader(descriptor)


async def _line_by_thread() -> str:
    """Read in a thread: Windows can't wait for a console and a socket at once. It ends with the process."""
    loop = asyncio.get_running_loop()
    line: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        text = sys.stdin.readline(_LONGEST_LINE)
        loop.call_soon_threadsafe(lambda: None if line.done() else line.set_result(text))

    threading.Thread(target=read, daemon=True).start()
    return await line
