"""Ask whether calls may cost money: no, this once, always for this ensemble, or always for its project.

There is one question for everything that may cost, with the price in it. A yes for good is kept in `trust.json`.
"""

from __future__ import annotations

import json
from shlex import quote
from typing import TYPE_CHECKING

from llm_orc.auth.access import Billing
from llm_orc.cli.shell.access_lines import access_lines, price_words
from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.prompts import chosen, confirmed, person_is_here
from llm_orc.dataclass import dataclass
from llm_orc.errors import PlanCreditsNotAllowed
from llm_orc.formats.printable import unmistakable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from llm_orc.app.access.consent import Consent
    from llm_orc.app.access.models import AccessPlan
    from llm_orc.app.projects.trust import TrustView
    from llm_orc.app.wiring import App
    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.errors import MeteredNotAllowed


@dataclass(frozen=True, slots=True)
class Costly:
    """What a person is asked to pay for: `this run`, `12 rows`. `plan` is what would be used after a yes.

    `ensemble` is as its file has it; None: that is not known, and nothing can be agreed to for good. `price_of`
    says what the plan's estimate is for, if it is only a part: ` for the first turn`.
    """

    what: str
    plan: AccessPlan
    ensemble: Ensemble | None
    price_of: str = ""


def ask_to_pay(
    app: App, refusal: MeteredNotAllowed, costly: Callable[[], Costly], consent: Consent
) -> Consent | None:
    """Show who would be paid, and ask; return the consent with what the person agrees to.

    None: they agree to nothing that they had not agreed to before, or nobody is at a terminal.
    """
    if not person_is_here():
        return None
    say_cost(refusal)
    asked = costly()
    for line in access_lines(asked.plan):
        note(f"  {line}")
    return with_yes(app, refusal, asked, consent)


def say_cost(refusal: MeteredNotAllowed) -> None:
    what = "may" if isinstance(refusal, PlanCreditsNotAllowed) else "would"
    note(f"This {what} cost money: {refusal.message}.")


def with_yes(app: App, refusal: MeteredNotAllowed, asked: Costly, consent: Consent) -> Consent | None:
    """Ask, with the price in the question; return what `ask_to_pay` returns.

    A yes holds for the plan in the question, or for the accesses shown with it, and for no others. If a project's
    file chose what costs money, the person may trust the project, with the values shown. A yes to a plan that
    passes into credits is kept for the provider, so that it is asked for once.
    """
    if isinstance(refusal, PlanCreditsNotAllowed) and refusal.provider is not None:
        yes = agrees_to_plan_credits(app, refusal.provider)
        return consent.including(plans=[refusal.provider]) if yes else None
    from llm_orc.app.access.bills.agreements import bills_of, remember
    from llm_orc.app.projects.trust import trust_directory

    ensemble, bills, project = asked.ensemble, bills_of(asked.plan), _project_of(app, refusal)
    answers = {"no": "No", "once": "Yes, this once"}
    if bills and ensemble is not None and ensemble.source is not None:
        answers["ensemble"] = f"Yes, and always for `{ensemble.name}`, as long as it and what it uses don't change"
    if project is not None:
        show_trust(project.view)
        answers["project"] = "Yes, and always for this project, as long as these values don't change"
    note(unmistakable(_question(refusal, asked)))
    answer = [*answers][chosen([unmistakable(words) for words in answers.values()])]
    if answer == "ensemble" and ensemble is not None and ensemble.source is not None:
        remember(app, ensemble, bills)
        note(f"Your yes is kept. Withdraw it with: llm-orc trust {quote(ensemble.source.path)} --forget")
    elif answer == "project" and project is not None:
        trust_directory(app, project.place, project.view)
    agreed = consent if answer == "no" else consent.including(bills)
    return None if agreed == consent else agreed


@dataclass(frozen=True, slots=True)
class _Project:
    """The project whose file chose what costs money, with what would be trusted."""

    place: Path
    view: TrustView


def _project_of(app: App, refusal: MeteredNotAllowed) -> _Project | None:
    if refusal.named_in is None:
        return None
    from llm_orc.app.projects.in_force import trust_place
    from llm_orc.app.projects.trust import view_trust

    place = trust_place(app, refusal.named_in)
    return _Project(place, view_trust(app, place))


def _question(refusal: MeteredNotAllowed, asked: Costly) -> str:
    estimate = asked.plan.estimate()
    price = "price unknown" if estimate is None else price_words(estimate)
    if isinstance(refusal, PlanCreditsNotAllowed):
        return f"Use your plan's credits for {asked.what} ({price})?"
    return f"Pay for {asked.what} ({price}{asked.price_of})?"


def agrees_to_plan_credits(app: App, provider: str) -> bool:
    """Ask whether runs may use the plan of `provider`, which passes into credits; a yes is kept."""
    from llm_orc.app.access.consent import remember_plan_credits

    if not confirmed(
        f"Use your plan of `{provider}`, now and in later runs, and what its account allows beyond it?"
    ):
        return False
    file = remember_plan_credits(app, provider)
    note(f"Your yes is kept: `providers.{provider}.allow_plan_credits` in {file}")
    return True


def settle_plan_credits(app: App, provider: str, billing: Billing, *, is_agreed: bool = False) -> bool:
    """At set-up, ask once for the yes that a plan needs if it passes into credits; return whether runs may use it.

    `is_agreed`: it was given on the command line. Without a terminal there is none.
    """
    from llm_orc.app.access.consent import remember_plan_credits

    own = app.settings.providers.get(provider)
    if billing is not Billing.PLAN_CREDITS or (own is not None and own.allow_plan_credits):
        return True
    if is_agreed:
        remember_plan_credits(app, provider)
        return True
    return person_is_here() and agrees_to_plan_credits(app, provider)


def show_trust(view: TrustView) -> None:
    """Show each value that trust would allow, with its file and line, so that none can look like another."""
    root = unmistakable(str(view.root))
    if not view.guarded:
        note(f"The files of {root} contain nothing that needs trust now.")
        return
    note(f"The files of {root} say:")
    for guarded in view.guarded:
        shown = guarded.value if isinstance(guarded.value, str) else json.dumps(guarded.value, ensure_ascii=False)
        note(f"  {unmistakable(f'{guarded.key}: {shown}')}")
        note(f"    {unmistakable(f'({guarded.origin})')}")
