"""What providers and readers do to a run: the others' answers are delivered and kept, `resume` goes on."""

from __future__ import annotations

import json

import pytest

from llm_orc.app.access.consent import Consent
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.runs.request import RunListener
from llm_orc.app.runs.resume import ResumeOptions, resume_run
from llm_orc.app.runs.run import RunOptions, run_ensemble
from llm_orc.cli.run.carry_out import carry_out
from llm_orc.cli.shell.output.destination import Output
from llm_orc.engine.events import AgentFinished, RunEvent
from llm_orc.errors import MeteredNotAllowed, NotLoggedIn
from llm_orc.formats.table import load_format
from llm_orc.runs.results import RunResult
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace, local, on_sandbox, run
from tests.fakes.loopback import Loopback, answer
from tests.net.conftest import server

__all__ = ["server"]  # a fixture

END_OF_TIME = "Fri, 31 Dec 9999 23:59:59 -2359"


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (429, {"retry-after": END_OF_TIME}),
        (503, {"retry-after": "1e999"}),
        (429, {"retry-after-ms": "nan", "x-ratelimit-remaining-requests": "-5"}),
        (200, {"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "1e20"}),
        (200, {"anthropic-ratelimit-tokens-remaining": "0", "ratelimit-reset": "9" * 400}),
    ],
    ids=str,
)
async def test_no_header_of_one_provider_ends_the_others(
    workspace: Workspace, sandbox: Sandbox, server: Loopback, status: int, headers: dict[str, str]
) -> None:
    body = {"choices": [{"message": {"content": "odd answer"}, "finish_reason": "stop"}], "usage": {"total": -5}}
    server.answers(answer(body if status == 200 else {"error": {"message": "busy"}}, status, headers=headers))
    settings = on_sandbox(sandbox, runs={"max_retries": 0})
    settings["providers"]["odd"] = {"base_url": server.url, "dialect": "openai-chat", "billing": "local"}  # type: ignore[index]
    workspace.settings(settings)
    odd = {"name": "odd", "provider": "odd", "model": "m"}
    workspace.ensemble("one", local("good"), odd, local("chair", depends_on=["good", "odd"], requires="any"))

    result, _ = await run(workspace.app(), "one")

    assert (result["good"].status, result["chair"].status) == ("completed", "completed")
    assert result["odd"].status == ("completed" if status == 200 else "failed")
    if status != 200:
        assert result["odd"].error is not None
        assert result["odd"].error.code in {"rate_limited", "provider_overloaded"}
        again = await resume_run(workspace.app(), ResumeOptions(result.run_id))
        assert again["good"].response == result["good"].response


@pytest.mark.parametrize("record", [True, False])
async def test_a_reader_that_raises_costs_no_answer(
    workspace: Workspace, sandbox: Sandbox, *, record: bool
) -> None:
    workspace.settings(on_sandbox(sandbox))
    workspace.ensemble("one", local("a"), local("b", depends_on=["a"]))
    app = workspace.app()

    def show(event: RunEvent) -> None:
        if isinstance(event, AgentFinished):
            raise ValueError("can't show this")

    options = RunOptions("the task", record=record)
    listener = RunListener(show, stream=True)
    result = await run_ensemble(app, find_ensemble(app, "one"), options, listener)

    assert result.status == "completed"
    assert result["b"].response
    if record:
        shown = await resume_run(app, ResumeOptions(result.run_id), RunListener(show))
        assert shown.status == "completed"


def test_what_has_finished_is_delivered_whatever_happens_then(capsys: pytest.CaptureFixture[str]) -> None:
    from tests.cli.run.test_ending_shown import CUT, events_of

    class Surprising:
        recorded = False

        async def start(self, consent: Consent, listener: RunListener) -> RunResult:
            for event in events_of(CUT)[:4]:
                listener.show(event)
            raise RuntimeError("nobody foresaw this")

        def agree(self, refusal: MeteredNotAllowed, consent: Consent) -> None:
            return None

        def set_up(self, missing: NotLoggedIn) -> bool:
            return False

    code = carry_out(Surprising(), Consent(), Output(load_format("json"), quiet=True))

    said = capsys.readouterr()
    document = json.loads(said.out)
    assert code == 1
    assert document["results"]["a"]["response"] == "half of"
    assert document["error"]["code"] == "internal_error"
    assert "nobody foresaw this" in said.err
