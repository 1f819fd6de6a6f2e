"""The tools of one attempt at a run: what the command and the settings allow, and how a person is asked."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from llm_orc.agents.kinds import all_agents, needs_of
from llm_orc.app.tools.layers import layers_of
from llm_orc.app.tools.toolbox import Toolbox
from llm_orc.engine.events import ApprovalAsked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from llm_orc.app.approvals.desk import AskHere
    from llm_orc.app.tools.permission import Rule
    from llm_orc.app.tools.toolbox import AskConsent, Consent, ToolQuestion
    from llm_orc.app.wiring import App
    from llm_orc.runs.recipe import Recipe

_ONCE, _NO = "Yes, this time", "No"
_LONGEST_ARGUMENTS = 4000  # characters that a person is shown


@asynccontextmanager
async def tools_of(
    app: App,
    recipe: Recipe,
    line: Sequence[Rule] = (),
    ask: AskHere | None = None,
    tell: Callable[[str], None] = lambda _sentence: None,
) -> AsyncIterator[Toolbox | None]:
    """Open the tools of a run; None: no agent has any, or it is a rehearsal, which calls none.

    `line` are the rules of the command, `ask` asks the person who is here. What they start ends with the context.
    """
    if recipe.rehearsal or not any(needs_of(spec.work).tools for _, spec in all_agents(recipe.ensemble)):
        yield None
        return
    async with Toolbox(app, layers_of(app, recipe.ensemble, line), ask and _consent(app, ask), tell) as box:
        yield box


def _consent(app: App, ask: AskHere) -> AskConsent:
    async def consent(question: ToolQuestion) -> Consent:
        always = f"Always: `{question.tool.name}`, also in later runs"
        asked = ApprovalAsked(
            app.clock.now(), question.agent, _words(question), (_ONCE, always, _NO), otherwise=_NO
        )
        reply = await ask(asked)
        if reply is None:
            return "no"
        return "once" if reply.choice == _ONCE else "always" if reply.choice == always else "no"

    return consent


def _words(question: ToolQuestion) -> str:
    arguments = json.dumps(question.arguments, ensure_ascii=False, indent=2)
    if len(arguments) > _LONGEST_ARGUMENTS:
        arguments = f"{arguments[:_LONGEST_ARGUMENTS]}… [{len(arguments) - _LONGEST_ARGUMENTS:,} characters more]"
    return f"May it call the tool {question.tool.name}? {question.why}\n{arguments}"
