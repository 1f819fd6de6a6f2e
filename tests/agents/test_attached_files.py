"""Files that go with a turn: what a model is given, and which agents get which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llm_orc.agents.context import AgentContext
from llm_orc.agents.files.access import NoFiles, with_attachments
from llm_orc.agents.files.ref import as_json, as_names, file_of, files_of
from llm_orc.agents.output import AgentOutput
from llm_orc.agents.path import AgentPath
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.turn import AgentTurn
from llm_orc.agents.uses.file_flow import files_by_agent
from llm_orc.ensembles.parse import parse_ensemble_text
from llm_orc.providers.base import Message
from llm_orc.providers.parts import Attachment, FileRef
from tests.agents.test_kinds import Quiet

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue


def file(name: str) -> FileRef:
    return FileRef(name, "text/plain" if name.endswith(".txt") else "image/png", 3, f"{ord(name[0]):x}" * 32)


A, B, C = file("a.png"), file("b.txt"), file("c.png")


class _Contents(NoFiles):
    def content(self, file: FileRef) -> bytes:
        return file.name.encode("utf-16")

    def text(self, file: FileRef) -> str:
        return self.content(file).decode("utf-16")


def test_a_file_is_a_value_that_is_recognised() -> None:
    assert file_of(as_json(A)) == A
    assert files_of([as_json(A), as_json(B)]) == (A, B)
    assert (as_names(as_json(A)), as_names([as_json(A), as_json(B)])) == ("a.png", ["a.png", "b.txt"])


@pytest.mark.parametrize(
    "value",
    [
        {"file": "a.png"},
        {"file": {"name": "a", "type": "b", "size": 1, "sha256": "../../etc/passwd"}},
        {"file": {"name": "a", "type": "b", "size": True, "sha256": "0" * 64}},
        {"file": {"name": "a", "type": "b", "size": 1, "sha256": "0" * 64, "path": "/etc/passwd"}},
        {"file": {"name": "a", "type": "b", "size": 1, "sha256": "0" * 64}, "more": 1},
        ["a.png"],
    ],
)
def test_what_only_looks_like_one_is_none(value: JsonValue) -> None:
    assert file_of(value) is None
    assert files_of(value) is None
    assert as_names(value) == value


def test_the_files_of_a_message_become_attachments_and_text_goes_as_utf_8() -> None:
    sent = with_attachments(Message("user", "Look.", files=(A, B)), _Contents())

    assert sent == Message(
        "user",
        "Look.",
        attachments=(
            Attachment("a.png", "image/png", "a.png".encode("utf-16")),
            Attachment("b.txt", "text/plain", b"b.txt"),
        ),
    )


async def test_what_is_asked_again_in_a_turn_has_the_files_where_they_were() -> None:
    asked: list[AgentTurn] = []

    async def ask_model(turn: AgentTurn) -> AgentOutput:
        asked.append(turn)
        return AgentOutput("yes", ())

    context = AgentContext(AgentTurn(AgentPath("a"), AgentSpec("a"), "Look.", Quiet(), files=(A,)), ask_model)
    await context.call_model()
    await context.call_model("Again.", after=(Message("user", "Look."), Message("assistant", "No.")))

    assert (asked[0].files, asked[0].history) == ((A,), ())
    assert asked[1].files == ()
    assert asked[1].history == (Message("user", "Look.", files=(A,)), Message("assistant", "No."))


FLOW = """\
name: one
inputs: {report: file, pages: {type: files, default: []}}
agents:
  - name: seer
  - {name: blind, prompt: "Say hello."}
  - {name: asked, prompt: "About ${task}"}
  - {name: reader, attachments: "${inputs.report}"}
  - {name: second, attachments: ["${inputs.pages.1}", "${inputs.report}"]}
  - {name: each, fan_out: {over: "${inputs.pages}"}, attachments: "${item}", prompt: "${item}"}
  - {name: none, attachments: []}
  - {name: after, depends_on: [seer], sees: dependencies}
  - {name: rounds, loop: {max_rounds: 2, agents: [{name: inner, attachments: "${inputs.report}"}, {name: told}]}}
"""


def test_which_files_an_agent_may_get_is_known_before() -> None:
    ensemble = parse_ensemble_text(FLOW).ensemble
    inputs: dict[str, Any] = {"report": as_json(A), "pages": [as_json(B), as_json(C)]}
    task = file("t.png")

    assert files_by_agent(ensemble, inputs, (task,), {}) == {
        "seer": (task,),
        "asked": (task,),
        "reader": (A,),
        "second": (C, A),
        "each": (B, C),
        "rounds": (task,),
        "rounds/inner": (A,),
        "rounds/told": (task,),
    }
