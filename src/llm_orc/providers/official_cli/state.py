"""The state of an official CLI on this machine. No proof: only a call shows that a login works."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Literal

from llm_orc.dataclass import dataclass
from llm_orc.errors import AuthError

Login = Literal["plan", "token", "metered", "none", "unknown"]


@dataclass(frozen=True, slots=True)
class Told:
    """A program's output about itself."""

    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Standing:
    """The login; `metered` is any that bills per call, `unknown` any that is no proven plan."""

    login: Login
    plan: str | None = None  # "max", "pro", "ChatGPT"
    said: str = ""  # the program's own word for it


@dataclass(frozen=True, slots=True)
class CliState:
    """Contains no secret and no person's name. `problem` None: it can be used, and the subscription pays."""

    name: str  # "claude-cli"
    command: str  # "claude"
    path: Path | None = None  # None: not installed
    version: str | None = None
    login: Login = "unknown"
    plan: str | None = None
    problem: AuthError | None = None
    models: str = field(default="", repr=False)  # as its own command lists them, if a call needs them

    @property
    def in_words(self) -> str:
        """Like "`claude` 2.1.330, Max plan"."""
        if self.path is None:
            return f"`{self.command}` is not installed"
        what = f"`{self.command}`" + (f" {self.version}" if self.version else "")
        how = {
            "plan": f"{(self.plan or '').capitalize()} plan".strip(),
            "token": "with a long-lived token",
            "metered": "logged in to an account that bills per call",
            "none": "not logged in",
            "unknown": "login unknown",
        }[self.login]
        return f"{what}, {how}"
