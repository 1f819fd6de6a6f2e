"""Ask whether a run may cost money: no, this once, or always for its project."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from llm_orc.cli.shell.access_lines import access_lines
from llm_orc.cli.shell.prompts import chosen, confirmed, person_is_here
from llm_orc.cli.shell.streams import note
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
    note(f"This would cost money: {refusal.message}.")


def says_yes(app: App, refusal: MeteredNotAllowed, what: str) -> bool:
    """Ask. If a project's file chose what costs money, the person may trust the project, with the values shown."""
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
