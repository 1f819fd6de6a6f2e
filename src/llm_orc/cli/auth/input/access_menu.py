"""The menu of all kinds of access, with who pays and what restricts each; without a terminal it is a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.cli.shell.access_lines import WHO_PAYS
from llm_orc.cli.shell.prompts import person_is_here, select
from llm_orc.cli.shell.usage import UsageMistake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.app.accounts.auth_methods import AuthMethod
    from llm_orc.app.accounts.choices import AccessChoice, Group
    from llm_orc.app.wiring import App
    from llm_orc.settings.model import AuthMethodName

_TITLES: dict[Group, str] = {
    "found": "Found on this machine",
    "key": "An API key",
    "sign-in": "A sign-in with the browser",
    "plan": "A plan that you pay for: its official program, its sign-in or its key",
    "program": "Another agent's own command, with the access that you gave it",
    "local": "A model on this machine",
}
_BACK = "Back"
_NOTHING = "Nothing now"
_MOST_NAMED = 3


def described(method: AuthMethod) -> str:
    """Say what a method is, who pays, what it needs and whether terms restrict it."""
    terms = " · its terms are shown first" if method.notice is not None and method.is_ready else ""
    restricted = (
        " · restricted by its provider's terms" if method.notice is not None and not method.is_ready else ""
    )
    return f"{method.title} · {WHO_PAYS[method.billing]} · {method.state}{terms}{restricted}"


def choose_access(app: App, method: AuthMethodName | None = None) -> AccessChoice | None:
    """Let the person choose a group and then one of it; None: they want nothing now.

    Raises `UsageMistake`, with the list, where nobody can be asked.
    """
    from llm_orc.app.accounts.choices import access_choices

    choices = access_choices(app, method)
    if not person_is_here():
        raise _nobody_to_ask(choices)
    groups = [group for group in _TITLES if any(choice.group == group for choice in choices)]
    while True:
        titles = [_group_title(group, [choice for choice in choices if choice.group == group]) for group in groups]
        number = select("How do you want to get access to a model?", [*titles, _NOTHING])
        if number >= len(groups):
            return None
        of_group = [choice for choice in choices if choice.group == groups[number]]
        number = select(_TITLES[groups[number]], [*map(_choice_title, of_group), _BACK])
        if number < len(of_group):
            return of_group[number]


def _group_title(group: Group, choices: Sequence[AccessChoice]) -> str:
    names = list(dict.fromkeys(choice.provider.spec.title for choice in choices))
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    paid = dict.fromkeys(
        WHO_PAYS[choice.method.billing if choice.method else choice.provider.spec.billing] for choice in choices
    )
    pays = f" · {next(iter(paid))}" if len(paid) == 1 else ""
    return f"{_TITLES[group]}{pays} · {', '.join(names[:_MOST_NAMED])}{more}"


def _choice_title(choice: AccessChoice) -> str:
    spec, method = choice.provider.spec, choice.method
    if method is None:
        return f"{spec.title} · {WHO_PAYS[spec.billing]} · no key needed"
    only = " · only while you are at a terminal" if spec.interactive_only is not None else ""
    if choice.variable:
        return f"{spec.title} · {WHO_PAYS[method.billing]} · store the key of {choice.variable}, encrypted{only}"
    return f"{spec.title} ({spec.name}) · {described(method)}{only}"


def _nobody_to_ask(choices: Sequence[AccessChoice]) -> UsageMistake:
    lines = []
    for group, title in _TITLES.items():
        of_group = [choice for choice in choices if choice.group == group]
        if of_group:
            lines.append(f"{title}:")
            lines += [f"  {_command(choice)}" for choice in of_group]
    listed = "\n  ".join(("Name one:", *lines))
    return UsageMistake("there is no PROVIDER, and no terminal to ask in", hint=listed)


def _command(choice: AccessChoice) -> str:
    pays = WHO_PAYS[choice.method.billing if choice.method is not None else choice.provider.spec.billing]
    if choice.method is None:
        return f"{choice.provider.name}: needs no key · {pays}"
    if choice.method.notice is not None:
        pays += " · its provider's terms restrict it" if not choice.method.is_ready else " · terms to agree to"
    source = f" --from-env {choice.variable}" if choice.variable else f" --method {choice.method.name}"
    return f"llm-orc auth add {choice.provider.name}{source} · {pays}"
