"""The kind of agent that runs a program."""

from __future__ import annotations

import json
import os
import sys
from shlex import join
from typing import TYPE_CHECKING

from llm_orc.agents.kind import Kind
from llm_orc.agents.references.text import Text
from llm_orc.agents.script.environment import names_code
from llm_orc.agents.script.fields import SCRIPT_FIELDS
from llm_orc.agents.script.interpreters import may_read_code, takes_commands_from_stdin
from llm_orc.agents.script.places import file_at, is_packaged, place_of
from llm_orc.agents.script.read import read_script
from llm_orc.agents.script.start import command_of
from llm_orc.agents.script.work import ScriptWork
from llm_orc.agents.work import Needs, Program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.agents.conditions.check import Answers
    from llm_orc.agents.context import AgentContext
    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.references.scope import Scope
    from llm_orc.agents.spec import AgentSpec

LIMIT_S = 60.0  # seconds, where the agent has no `timeout_seconds`


def _texts(work: ScriptWork) -> tuple[Text, ...]:
    texts = [
        Text(f"script.{i}", word, takes_answers=False, reader="program") for i, word in enumerate(work.argv) if i
    ]
    if work.line is not None:
        texts.append(Text("script", work.line, reader="nobody"))
    if work.stdin is not None:
        is_data = not (takes_commands_from_stdin(work.argv) or may_read_code(work.argv))
        texts.append(Text("stdin", work.stdin, takes_answers=is_data, reader="program"))
    texts += (
        Text(f"env.{name}", value, takes_answers=not names_code(name), reader="program")
        for name, value in work.env.items()
        if value is not None
    )
    return tuple(texts)


def _needs(work: ScriptWork) -> Needs:
    command = command_of(work)
    if not command:
        return Needs()
    shown = ("python", *command[1:]) if command[0] == sys.executable else command
    place = None if work.file is None else place_of(file_at(work.file))
    ours = place is not None and is_packaged(place)
    if place is not None and ours:
        shown = (file_at(place).name, *work.argv[1:])
    setup = json.dumps([dict(work.env), work.cwd, work.stdin, work.parameters], sort_keys=True, default=str)
    digests = {place_of(file_at(file)): digest for file, digest in work.digests.items()}
    return Needs(programs=(Program(join(shown), command[0], digests, setup, ours),))


def _answers(work: ScriptWork) -> Answers:
    if work.schema is not None:
        return "data"
    return "unknown" if work.output is None else "data" if work.output == "json" else "text"


def _stdin(spec: AgentSpec, work: ScriptWork, scope: Scope, texts: Mapping[str, str]) -> str:
    from llm_orc.agents.script.document import document_for  # noqa: PLC0415 - heavy: only where one runs

    return document_for(spec, work, scope) if work.stdin is None else texts.get("stdin", work.stdin)


def _shape(work: ScriptWork) -> dict[str, object]:
    """Everything that decides what the program does, as far as it is known: not the files that it reads."""
    return {
        "command": command_of(work),
        "digests": work.digests,
        "env": {name: os.environ.get(name) if value is None else value for name, value in work.env.items()},
        "cwd": work.cwd or os.getcwd(),  # noqa: PTH109 - a text is wanted
        "output": work.output,
        "schema": work.schema,
        "parameters": work.parameters,
    }


async def _run(context: AgentContext, work: ScriptWork) -> AgentOutput:
    from llm_orc.agents.script.run import run_script  # noqa: PLC0415 - as above

    return await run_script(context, work)


async def _rehearse(context: AgentContext, work: ScriptWork) -> AgentOutput:
    from llm_orc.agents.script.run import rehearse_script  # noqa: PLC0415 - as above

    return await rehearse_script(context, work)


SCRIPT = Kind(
    "script",
    ScriptWork,
    fields=SCRIPT_FIELDS,
    read=read_script,
    needs=_needs,
    run=_run,
    rehearse=_rehearse,
    texts=_texts,
    answers=_answers,
    shape=_shape,
    prompt=_stdin,
    answer_schema=lambda work: work.schema,
    limit_s=LIMIT_S,
    takes_attachments=False,
)
