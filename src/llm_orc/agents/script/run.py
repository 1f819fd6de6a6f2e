"""Run a script: in its own process group, within limits, and ended with everything that it has started."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING

from llm_orc.agents.output import AgentOutput
from llm_orc.agents.schema.canned import canned_answer
from llm_orc.agents.script.document import variables_of
from llm_orc.agents.script.environment import script_environment
from llm_orc.agents.script.output import answer_of, checked_by, shown
from llm_orc.agents.script.start import command_of, find_command
from llm_orc.errors import ScriptFailed
from llm_orc.processes.child import Child, TooMuchOutput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.agents.context import AgentContext
    from llm_orc.agents.script.work import ScriptWork

MOST_BYTES = 10 * 1024 * 1024  # of standard output, and of standard error
_LOGGER = logging.getLogger("llm_orc")


async def run_script(context: AgentContext, work: ScriptWork) -> AgentOutput:
    """Run it and return its answer. Raises `ScriptFailed`. If we are cancelled, it is ended first."""
    agent, written = str(context.turn.path), context.prompt
    env = script_environment(
        {name: value if value is None else context.text(f"env.{name}", value) for name, value in work.env.items()},
        os.environ,
    )
    if work.stdin is None:
        env = {**variables_of(written), **env}
    cwd = Path.cwd() if work.cwd is None else Path(work.cwd)
    command = await asyncio.to_thread(find_command, agent, work, _arguments(context, work), env, cwd)
    try:
        child = await Child.start(command, env, cwd, most_bytes=MOST_BYTES)
    except (OSError, ValueError) as e:  # a NUL character in what was filled in is a ValueError
        reason = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
        raise ScriptFailed(f"agent `{agent}` can't start `{command[0]}`: {reason}") from e
    sending = asyncio.ensure_future(child.send(written.encode("utf-8", "replace"), is_last=True))
    try:
        output = await child.rest()
        code = await child.wait()  # it may work on after it has closed its output
    except TooMuchOutput:
        raise ScriptFailed(
            f"the program of agent `{agent}` wrote more than {MOST_BYTES // 1024**2} MB",
            hint="Let it write a summary, or a file and its name.",
        ) from None
    finally:
        sending.cancel()
        await child.stop()
    said = child.stderr
    if code:
        raise _failed(agent, code, shown(said, env, os.environ))
    if said:
        _LOGGER.debug("agent `%s` wrote to standard error: %s", agent, shown(said, env, os.environ))
    if _has_broken_text(output):
        context.notice("The program's output is not UTF-8 everywhere; what is not is shown as `\ufffd`.")
    if work.schema is None:
        return answer_of(agent, output, work.output, env, os.environ)
    answer = answer_of(agent, output, "json", env, os.environ)
    return checked_by(agent, work.schema, answer, env, os.environ)


def _arguments(context: AgentContext, work: ScriptWork) -> Sequence[str]:
    return [context.text(f"script.{i}", word) for i, word in enumerate(work.argv) if i]


def _failed(agent: str, code: int, complaint: str) -> ScriptFailed:
    how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return ScriptFailed(f"the program of agent `{agent}` {how}{f': {complaint}' if complaint else ''}")


def _has_broken_text(output: bytes) -> bool:
    try:
        output.decode()
    except UnicodeDecodeError:
        return True
    return False


async def rehearse_script(context: AgentContext, work: ScriptWork) -> AgentOutput:
    """Say what would be run, and run nothing."""
    words = command_of(work)
    arguments = _arguments(context, work)
    line = join((*words[: len(words) - len(arguments)], *arguments) if arguments else words)
    context.notice(f"Not run in a rehearsal: {line}")
    if work.schema is not None and (canned := canned_answer(work.schema)) is not None:
        return AgentOutput(canned[0], (), canned[1])
    return AgentOutput(f"[rehearsal: not run] {line}", ())
