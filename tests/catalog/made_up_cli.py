"""A made-up official CLI, `parrot`: how it is called and read, and a stand-in for the program itself."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from llm_orc.catalog.rows import OfficialCliRow
from llm_orc.errors import AuthError, LlmOrcError, MeteredNotAllowed, ReplyCut
from llm_orc.providers.base import Target
from llm_orc.providers.official_cli.lines import text_in
from llm_orc.providers.official_cli.program import Answered, Call, Meaning, OfficialCli, TurnReader
from llm_orc.providers.official_cli.state import Standing, Told
from llm_orc.providers.parts import Attachment

if TYPE_CHECKING:
    from llm_orc.providers.official_cli.lines import Fields

ROW = OfficialCliRow(
    name="parrot-cli",
    title="The Parrot's own command",
    product="Parrot",
    command="parrot",
    driver="tests.catalog.made_up_cli:Parrot",
    dialect="openai-chat",
    origin="https://parrot.example",
    install_hint="brew install parrot, then: parrot login",
    login_command=("parrot", "login"),
    logout_command=("parrot", "logout"),
    variables=("PARROT_HOME",),
    token_variable="PARROT_TOKEN",
    token_prefixes=("parrot-",),
    metered_sibling="acme",
)

_PROGRAM = """\
import json, os, sys

match sys.argv[1:]:
    case ["--version"]:
        print("parrot 3.1.4")
    case ["status"]:
        print("plan" if os.environ.get("PARROT_HOME") else "none")
    case ["talk", *_]:
        print(json.dumps({"said": "squawk: " + sys.stdin.read(), "key": os.environ.get("ACME_KEY", "")}))
"""


@dataclass(frozen=True, slots=True)
class Parrot(OfficialCli):
    status_arguments: ClassVar[tuple[str, ...]] = ("status",)
    oldest: ClassVar[tuple[int, int, int]] = (3, 0, 0)
    keeps_talking: ClassVar[bool] = False
    longest_prompt: ClassVar[int] = 1000

    def standing(self, told: Told, env: Mapping[str, str]) -> Standing:
        return Standing("plan", plan="feather") if told.stdout.strip() == "plan" else Standing("none")

    def arguments(self, call: Call, env: Mapping[str, str]) -> tuple[str, ...]:
        return ("talk", *([call.model] if call.model else []))

    def variables(self, room: Path, call: Call | None) -> Mapping[str, str]:
        return {}

    def files(self, call: Call) -> Mapping[str, str]:
        return {}

    def turn(self, prompt: str, files: Sequence[Attachment] = ()) -> bytes:
        return prompt.encode()

    def reader(self, target: Target, call: Call, prompt: str) -> TurnReader:
        return _ParrotTurn()

    def refusal_of_metered(self, standing: Standing) -> AuthError:
        return MeteredNotAllowed("no plan pays for `parrot`", hint="parrot login")


class _ParrotTurn(TurnReader):
    def read(self, said: Fields) -> Meaning:
        return Answered(text_in(said, "said") + text_in(said, "key"), "parrot-1")

    def ended(self, exit_code: int, complaint: str) -> LlmOrcError:
        return ReplyCut(complaint)


def install(home: Path) -> str:
    """Put the stand-in into `home` and return what `PATH` needs."""
    home.mkdir(parents=True)
    program = home / "parrot"
    program.write_text(f"#!{sys.executable} -SE\n{_PROGRAM}")
    program.chmod(0o755)
    return str(home)
