"""`llm-orc setup`: from what this machine has to a first answer."""

from __future__ import annotations

import re
import sys
from textwrap import wrap
from typing import TYPE_CHECKING

import click

from llm_orc.catalog.table import PROVIDERS
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import app_here, write_json
from llm_orc.cli.shell.output.streams import columns, note, write_data
from llm_orc.cli.shell.prompts import person_is_here
from llm_orc.cli.shell.usage import UsageMistake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.app.access.route import Route
    from llm_orc.app.setup.inventory import Inventory
    from llm_orc.jsontypes import JsonValue


_COMMAND = re.compile(r"llm-orc(?: [a-z-]+)+")


@define_command()
@click.option("--list", "only_list", is_flag=True, help="Only show what is found.")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing: use the best access that costs nothing per call.")
@click.option("--provider", metavar="NAME", help="With --yes: use this provider, whoever pays, e.g. `openai`.")
@click.option("--model", metavar="MODEL", help="With --yes: use this model of it.  [default: the provider's]")
@click.option("--no-test", is_flag=True, help="With --yes: make no test call.")
@click.option("--no-ensemble", is_flag=True, help="With --yes: write no first ensemble.")
@click.option(
    "--json", "as_json", is_flag=True, help="Write one JSON document: what was found; with --yes, what was done."
)
def command(
    *,
    only_list: bool,
    yes: bool,
    provider: str | None,
    model: str | None,
    no_test: bool,
    no_ensemble: bool,
    as_json: bool,
) -> None:
    """Find the access that this machine has, let you pick, test it, write a default profile and a first ensemble.

    It looks for servers on this machine, API keys in the environment and logged-in official CLIs. Every step can
    be skipped and repeated. Without a terminal, and with --list, it shows what it finds and how to get more, and
    changes nothing; with --yes it asks nothing.

    \b
    llm-orc setup
    llm-orc setup --yes
    llm-orc setup --yes --provider openai --model gpt-5.5
    """
    if yes:
        _do_it(provider, model, test=not no_test, ensemble=not no_ensemble, as_json=as_json)
    elif provider or model or no_test or no_ensemble:
        raise UsageMistake(
            "--provider, --model, --no-test and --no-ensemble need --yes",
            hint="Add --yes, or leave them out: `setup` then asks.",
        )
    elif only_list or as_json or not person_is_here():
        _show(as_json=as_json)
    else:
        from llm_orc.cli.setup.wizard import wizard

        wizard()


def _do_it(provider: str | None, model: str | None, *, test: bool, ensemble: bool, as_json: bool) -> None:
    from llm_orc.app.accounts.verify import try_access
    from llm_orc.app.setup.defaults import (
        FIRST_ENSEMBLE,
        PACKAGED_ENSEMBLE,
        choose_access,
        make_default,
        name_server,
        write_first_ensemble,
    )
    from llm_orc.cli.shell.access_lines import WHO_PAYS
    from llm_orc.cli.shell.consent import settle_plan_credits
    from llm_orc.net.event_loop import run_to_end

    app = app_here()
    found = run_to_end(choose_access(app, provider, model, allow_metered=False))
    note(f"{found.provider} {model or found.model or ''} · {WHO_PAYS[found.billing]} · {found.evidence}")
    if found.choice.base_url is not None:
        name_server(app, found)
    settle_plan_credits(app, found.provider, found.billing, is_agreed=True)
    app = app_here()
    if test:
        proof = run_to_end(try_access(app, found.provider, model or found.model))
        note(f"`{proof.model}` answered.")
    file = make_default(app, found.provider, model or found.model)
    note(f"Agents that name no model now use it: `model_profiles.default` in {file}")
    written = write_first_ensemble(app) if ensemble else None
    if written is not None:
        note(f"A first ensemble: {written}")
    if as_json:
        write_json(
            {
                **_found_value(found, model),
                "tested": test,
                "config": str(file),
                "ensemble": None if written is None else str(written),
            }
        )
    note(f"Next: llm-orc invoke {FIRST_ENSEMBLE if ensemble else PACKAGED_ENSEMBLE}")


def _show(*, as_json: bool) -> None:
    from llm_orc.app.setup.inventory import inventory
    from llm_orc.net.event_loop import run_to_end

    app = app_here()
    seen = run_to_end(inventory(app))
    if as_json:
        write_json(_value(seen))
    else:
        settings = app.paths.config / "config.yaml"
        lines = (*_found_lines(seen), "", *_more_lines(seen, str(settings)))
        write_data("".join(f"{_folded(line, columns(sys.stdout))}\n" for line in lines))


def _folded(line: str, width: int | None) -> str:
    """Return the line in as many as the terminal needs, a command in one piece; in a pipe it stays one."""
    if width is None:
        return line
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    whole = _COMMAND.sub(lambda found: found[0].replace(" ", "\x00"), line)
    lines = wrap(whole, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace("\x00", " ")


def _found_lines(seen: Inventory) -> Iterator[str]:
    from llm_orc.cli.shell.access_lines import WHO_PAYS

    yield "Access found, best first:" if seen.every else "No access found: ensembles can only be rehearsed."
    for found in seen.every:
        named = "(name a model)" if found in seen.nameless else found.model or ""
        yield f"  {found.provider} {named}".rstrip()
        yield f"    {WHO_PAYS[found.billing]} · {found.evidence}"
    provider = seen.default.provider or "the best of these"
    model = f", model {seen.default.model}" if seen.default.model else ""
    yield f"An agent that names no model uses the profile `default`: {provider}{model} ({seen.default.origin})"


def _more_lines(seen: Inventory, settings: str) -> Iterator[str]:
    have = {found.provider for found in seen.every}
    yield "To get more:"
    for spec in PROVIDERS.values():
        if spec.start_hint:
            yield f"  {spec.title}, free: {spec.start_hint}"
    yield "  a sign-in or an API key, stored encrypted: llm-orc auth add"
    for name, spec in PROVIDERS.items():
        if name not in have and spec.api_key_env and spec.keys_at:
            address = "" if spec.base_url else f"; first set `providers.{name}.base_url`"
            yield f"    {name}: or export {spec.api_key_env[0]}=…  (keys: {spec.keys_at}){address}"
    yield "To make one the default, and agree to its bill, write into " + settings + ":"
    yield "  model_profiles:"
    yield "    default: {provider: NAME, model: MODEL}"


def _value(seen: Inventory) -> JsonValue:
    return {
        "found": [_found_value(found) for found in seen.every],
        "default": {
            "provider": seen.default.provider,
            "model": seen.default.model,
            "origin": str(seen.default.origin),
        },
    }


def _found_value(found: Route, model: str | None = None) -> dict[str, JsonValue]:
    return {
        "provider": found.provider,
        "model": model or found.model,
        "billing": str(found.billing),
        "evidence": found.evidence,
    }
