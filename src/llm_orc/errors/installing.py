"""The commands that add to this installation and upgrade it, for the hints of errors.

They name where this program was installed from, not just its name: a package of that name in an index is this one
only if this installation came from there.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from importlib.metadata import Distribution, PackageNotFoundError
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

_PACKAGE = "llm-orc"
Installer = Literal["pip", "uv pip", "uv tool", "pipx"]
_INSTALL: Mapping[Installer, str] = {
    "pip": "{python} -m pip install",
    "uv pip": "uv pip install --python {python}",
    "uv tool": "uv tool install",
    "pipx": "pipx install --force",
}


@dataclass(frozen=True, slots=True)
class Installation:
    """How the program was installed.

    `source` is a folder, or an address in pip's form; None: an index. `python` is the interpreter to install for.
    """

    installer: Installer
    source: str | None = None
    is_folder: bool = False
    is_editable: bool = False
    python: str = "python"

    def adding(self, extra: str) -> str:
        """Return the command that installs `extra` as well."""
        return self._install(f"[{extra}]")

    def upgrading(self) -> str:
        """Return the command that installs what is newest where this came from."""
        if self.source is not None and self.is_editable and Path(self.source, ".git").exists():
            return f"git -C {_quoted(self.source)} pull"
        match self.installer:
            case "uv tool" | "pipx":
                return f"{self.installer} upgrade {_PACKAGE}"
            case _:
                return self._install("", "--upgrade ")

    def _install(self, extras: str, option: str = "") -> str:
        command = _INSTALL[self.installer].format(python=_quoted(self.python))
        editable = ("-e " if "pip install" in command else "--editable ") if self.is_editable else ""
        return f"{command} {option}{editable}{_quoted(self._requirement(extras))}"

    def _requirement(self, extras: str) -> str:
        if self.source is None:
            return f"{_PACKAGE}{extras}"
        return f"{self.source}{extras}" if self.is_folder else f"{_PACKAGE}{extras} @ {self.source}"


def adding(extra: str) -> str:
    """Return the command that installs an extra of this program, e.g. `batch`."""
    return installation().adding(extra)


def upgrading() -> str:
    """Return the command that upgrades this program."""
    return installation().upgrading()


def installation(distribution: Distribution | None = None, prefix: str = sys.prefix) -> Installation:
    """Return how this program was installed, as its installers have written down (PEP 610)."""
    if distribution is None:
        try:
            distribution = Distribution.from_name(_PACKAGE)
        except PackageNotFoundError:  # started from its source
            return Installation(_installer(prefix), str(_source_folder()), is_folder=True, python=_python())
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    source, is_folder = _source(origin)
    is_editable = bool(origin.get("dir_info", {}).get("editable"))
    return Installation(_installer(prefix), source, is_folder, is_editable, _python())


def _installer(prefix: str) -> Installer:
    if Path(prefix, "uv-receipt.toml").is_file():
        return "uv tool"
    if Path(prefix, "pipx_metadata.json").is_file():
        return "pipx"
    return "pip" if find_spec("pip") is not None else "uv pip"


def _source(origin: dict[str, dict[str, str]]) -> tuple[str | None, bool]:
    """Return the folder or the address that the program was installed from, and whether it is a folder."""
    url = str(origin.get("url") or "")
    if not url:
        return None, False
    if "dir_info" in origin:
        from urllib.request import url2pathname  # noqa: PLC0415 - heavy, and only for an error

        return url2pathname(url.removeprefix("file://")), True
    control = origin.get("vcs_info", {})
    revision = f"@{control['requested_revision']}" if "requested_revision" in control else ""
    return (f"{control['vcs']}+{url}{revision}" if control else url), False


def _source_folder() -> Path:
    return Path(__file__).parents[3]


def _python() -> str:
    """Return the shortest name of the interpreter that runs this program."""
    found = shutil.which("python")
    return "python" if found is not None and Path(found) == Path(sys.executable) else sys.executable


def _quoted(text: str) -> str:
    """Quote for the shells of this system, if needed: they may give brackets and spaces a meaning."""
    if os.name == "nt":
        return f'"{text}"' if set(text) & set(" []@&();") else text
    return shlex.quote(text)
