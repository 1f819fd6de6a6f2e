"""Run an ensemble for a person or a program: show it, ask before it costs, print what finished however it ends."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from llm_orc.app.runs.request import RunListener
from llm_orc.cli.run.answer_output import check_agent
from llm_orc.cli.run.views import View, choose_view
from llm_orc.cli.run.write_result import write_result
from llm_orc.cli.shell.access_lines import access_lines
from llm_orc.cli.shell.approvals.asker import asker
from llm_orc.cli.shell.approvals.words import note_waiting
from llm_orc.cli.shell.exits import write_error
from llm_orc.cli.shell.output.background_writer import BackgroundWriter
from llm_orc.cli.shell.output.destination import AnswerOnly
from llm_orc.cli.shell.output.streams import note, undelivered
from llm_orc.cli.shell.process.standard_streams import READER_GONE
from llm_orc.cli.shell.process.stop_signals import INTERRUPTED, stopped_by, stopping
from llm_orc.engine.events import AgentDelta, ErrorInfo
from llm_orc.engine.observer import error_info
from llm_orc.engine.surprises import as_error
from llm_orc.errors import MeteredNotAllowed, NotLoggedIn
from llm_orc.formats.figures import count, minute, relative
from llm_orc.formats.format import EventFormat
from llm_orc.formats.sentences import plan_wait_words
from llm_orc.net.event_loop import run_to_end
from llm_orc.runs.reader import Reader
from llm_orc.runs.state import RunState

if TYPE_CHECKING:
    from llm_orc.app.access.consent import Consent
    from llm_orc.app.access.models import AccessPlan
    from llm_orc.cli.shell.output.destination import Output
    from llm_orc.engine.events import RunEvent
    from llm_orc.runs.results import RunResult

_LAST_WORDS_S = 2.0  # time for the last events of a stopped run


class Request(Protocol):
    """What a command asks for: a new run, a resumed run, or a new run from another one."""

    @property
    def recorded(self) -> bool: ...

    async def start(self, consent: Consent, listener: RunListener) -> RunResult: ...

    def agree(self, refusal: MeteredNotAllowed, consent: Consent) -> Consent | None:
        """Ask the person for a yes to calls that may cost; return the consent with it, or None."""
        ...

    def set_up(self, missing: NotLoggedIn) -> bool:
        """Let the person set up the access that is missing; returns whether that may have helped."""
        ...


class _Stopped(Exception):
    """The run was ended from outside, with this exit code."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


def carry_out(request: Request, consent: Consent, output: Output) -> int:
    """Run to the end, print the result and return the exit code.

    Where calls that may cost need a yes, the request asks for it; where access is missing, it may change that.
    """
    may_set_up = True
    while True:
        try:
            return _Run(request, consent, output).go()
        except NotLoggedIn as missing:
            if not may_set_up or not request.set_up(missing):
                raise
            may_set_up = False
        except MeteredNotAllowed as refusal:
            agreed = None if consent.includes(refusal) else request.agree(refusal, consent)
            if agreed is None:
                raise
            consent = agreed


class _Run:
    """One attempt: the event loop, the view, and the state of the run so far."""

    def __init__(self, request: Request, consent: Consent, output: Output) -> None:
        self._request, self._consent = request, consent
        self._output = output
        self._recorded = request.recorded
        self._state = RunState()
        self._writes_events = isinstance(output.form, EventFormat)
        self._view: View = choose_view(output)
        self._viewed, self._learned = Reader(self._view.show), Reader(self._view.learn)
        self._task: asyncio.Task[RunResult] | None = None
        self._stopped_with: int | None = None
        self._events: BackgroundWriter | None = None  # of `jsonl`

    def go(self) -> int:
        try:
            result = self._run_loop()
        except _Stopped as stop:
            return self._print_what_finished(stop.exit_code)
        except Exception as e:
            if self._state.started is None:
                raise
            error = as_error(e)
            self._write(replace(self._so_far(), error=error_info(error)))
            write_error(error)
            return error.exit_code
        code = self._write(result)
        if result.fails_because:
            note(f"The run fails by its ensemble's `fails_when`: {result.fails_because}")
        elif result.status == "waiting":
            note_waiting(result)
        elif result.exit_code != 0 and result.recorded:
            note(_retry_words(result))
        return result.exit_code or code

    def _run_loop(self) -> RunResult:
        try:
            return run_to_end(self._main())
        except KeyboardInterrupt:
            raise _Stopped(INTERRUPTED) from None
        except asyncio.CancelledError:
            raise _Stopped(self._stopped_with or INTERRUPTED) from None
        finally:
            self._view.close()

    async def _main(self) -> RunResult:
        self._task = asyncio.current_task()
        with stopping(self._stop):
            return await self._until_told()

    async def _until_told(self) -> RunResult:
        if self._writes_events:
            self._events = BackgroundWriter(partial(self._stop, READER_GONE))
        try:
            wants_text = self._view.wants_text or self._writes_events
            listener = RunListener(
                self._show,
                self._planned,
                self._view.tell,
                stream=wants_text,
                earlier=self._learn,
                ask=asker(self._view.aside),
            )
            result = await self._request.start(self._consent, listener)
            if self._events is not None:
                await self._events.drained()
        finally:
            if self._events is not None:  # stopped or failed: a reader that doesn't read must not delay the end
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._events.drained(), _LAST_WORDS_S)
        return result

    def _stop(self, exit_code: int) -> None:
        if self._stopped_with is None and self._task is not None:
            self._stopped_with = exit_code
            self._task.cancel()

    def _planned(self, plan: AccessPlan) -> None:
        form = self._output.form
        if isinstance(form, AnswerOnly):
            check_agent(
                form.agent, [*(agent.agent for agent in plan.agents), *(name for name, _ in plan.without_model)]
            )
        if not self._output.quiet:
            for line in access_lines(plan):
                note(line)

    def _learn(self, event: RunEvent) -> None:
        self._state.apply(event)
        self._learned.show(event)
        self._write_event(event)

    def _show(self, event: RunEvent) -> None:
        if not isinstance(event, AgentDelta):  # the result needs no provisional text, which may be long
            self._state.apply(event)
        self._viewed.show(event)
        self._write_event(event)

    def _write_event(self, event: RunEvent) -> None:
        form = self._output.form
        if isinstance(form, EventFormat) and self._events is not None:
            self._events.write(form.event(event) + "\n")

    def _kept_at(self) -> str | None:
        """Return the command that shows the answers again."""
        return f"The answers are kept: llm-orc runs show {self._so_far().run_id}" if self._recorded else None

    def _so_far(self) -> RunResult:
        return self._state.result(recorded=self._recorded)

    def _print_what_finished(self, exit_code: int) -> int:
        if self._events is not None and self._events.failure is not None:
            raise undelivered(self._events.failure, self._kept_at())
        if self._state.started is None:
            note("Stopped before anything was sent.")
            return exit_code
        by = stopped_by(exit_code)
        result = self._so_far()
        waits = self._state.plan_waits
        go_on = f"llm-orc resume {result.run_id}{' --wait-for-plan' if waits else ''}" if self._recorded else None
        error = ErrorInfo("interrupted", f"stopped by {by}", go_on, exit_code)
        self._write(replace(result, error=error))
        agents = count(len(self._state.own_agents), "agent")
        kept = f"{self._state.finished_agents:,} of {agents} had finished"
        note(f"\nStopped by {by}: {kept}" + (", and their answers are kept." if self._recorded else "."))
        if waits:
            first = min(waits, key=lambda wait: wait.until)
            note(f"{first.agent}: {plan_wait_words(first, time.time())}")
        if go_on:
            note(f"Resume with: {go_on}")
        return exit_code

    def _write(self, result: RunResult) -> int:
        return write_result(result, self._output, shown=self._view.answered_by, kept_at=self._kept_at())


def _retry_words(result: RunResult) -> str:
    """Say how to get the answers that are missing; before a plan resets, `resume` alone would call nothing."""
    errors = [agent.error for agent in result.agents if agent.error is not None]
    resets_at = max((error.resets_at or 0.0 for error in errors), default=0.0)
    if resets_at > time.time():
        when = f"{minute(resets_at)} ({relative(resets_at, time.time())})"
        return f"The plan resets at {when}. Wait for it with: llm-orc resume {result.run_id} --wait-for-plan"
    return f"Retry only the agents without an answer: llm-orc resume {result.run_id}"
