"""Where the user's files are on each platform. Nothing is created here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = "llm-orc"


@dataclass(frozen=True, slots=True)
class Paths:
    """`config`: what the user writes; `state`: what the program writes; `cache`: may be deleted at any time."""

    config: Path
    state: Path
    cache: Path

    @property
    def runs_database(self) -> Path:
        return self.state / "runs.sqlite"

    @property
    def files(self) -> Path:
        """The contents of the files that runs and conversations were given."""
        return self.state / "files"

    @property
    def results(self) -> Path:
        """Results of tools that were too long for a model, in a folder for each run."""
        return self.state / "results"

    @property
    def answers_database(self) -> Path:
        """What `cache` keeps."""
        return self.cache / "answers.sqlite"

    @property
    def spending_database(self) -> Path:
        """What `runs.max_cost_per_day` counts."""
        return self.state / "spending.sqlite"

    @property
    def batches_database(self) -> Path:
        return self.state / "batches.sqlite"

    @property
    def conversations_database(self) -> Path:
        return self.state / "conversations.sqlite"


def user_paths(environ: Mapping[str, str], platform: str, home: Path) -> Paths:
    """Return the user's folders; `platform` is `sys.platform`.

    Linux and macOS follow the XDG base directory specification, as `gh` and `uv` do; a relative XDG value is
    ignored, as the specification requires. Windows has settings under %APPDATA% and the rest under %LOCALAPPDATA%.
    """
    if platform == "win32":
        roaming = Path(environ.get("APPDATA") or home / "AppData" / "Roaming") / _NAME
        local = Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / _NAME
        return Paths(config=roaming, state=local / "state", cache=local / "cache")

    def xdg(variable: str, default: str) -> Path:
        value = environ.get(variable, "")
        return (Path(value) if value.startswith("/") else home / default) / _NAME

    return Paths(
        config=xdg("XDG_CONFIG_HOME", ".config"),
        state=xdg("XDG_STATE_HOME", ".local/state"),
        cache=xdg("XDG_CACHE_HOME", ".cache"),
    )
