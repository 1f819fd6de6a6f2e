"""Ask whether a run may cost money: no, this once, or always for its project."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from llm_orc.auth.access import Billing
from llm_orc.cli.shell.access_lines import access_lines
from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.prompts import chosen, confirmed, person_is_here
from llm_orc.errors import PlanCreditsNotAllowed
from llm_orc.formats.printable import unmistakable

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.app.access.models import AccessPlan
    from llm_orc.app.projects.trust import TrustView
    from llm_orc.app.wiring import App
    from llm_orc.errors import MeteredNotAllowed


def agrees_to_pay(
    app: App, refusal: MeteredNotAllowed, what: str, plan: Callable[[], AccessPlan] | None = None
) -> bool:
    """Return whether the person agrees to pay for `what`, after showing who would be paid.

    Without a terminal the answer is no. `plan` returns what would be used after consent, to show it first.
    """
    if not person_is_here():
        return False
    say_cost(refusal)
    for line in access_lines(plan()) if plan is not None else ():
        note(f"  {line}")
    return says_yes(app, refusal, what)


def say_cost(refusal: MeteredNotAllowed) -> None:
    what = "may" if isinstance(refusal, PlanCreditsNotAllowed) else "would"
    note(f"This {what} cost money: {refusal.message}.")


def says_yes(app: App, refusal: MeteredNotAllowed, what: str) -> bool:
    """Ask. If a project's file chose what costs money, the person may trust the project, with the values shown.

    A yes to a plan that passes into credits is kept, so that it is asked for once.
    """
    if isinstance(refusal, PlanCreditsNotAllowed):
        if refusal.provider is not None:
            return agrees_to_plan_credits(app, refusal.provider)
        question = f"Continue, and use your plan's credits for {what}?"
    else:
        question = f"Continue, and pay for the tokens of {what}?"
    if refusal.named_in is None:
        return confirmed(question)
    from llm_orc.app.projects.in_force import trust_place
    from llm_orc.app.projects.trust import trust_directory, view_trust

    place = trust_place(app, refusal.named_in)
    view = view_trust(app, place)
    show_trust(view)
    note(question)
    answer = chosen(
        ("No", "Yes, this once", "Yes, and always for this project, as long as these values don't change")
    )
    if answer == 2:
        trust_directory(app, place, view)
    return answer > 0


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
