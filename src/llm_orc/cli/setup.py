"""`llm-orc setup`: the access that this machine has, and how to get more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from llm_orc.cli.options import app_here, tool, write_json
from llm_orc.cli.streams import write_data

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.app.discovery import Found
    from llm_orc.app.survey import Survey
    from llm_orc.jsontypes import JsonValue


@tool("setup", "Show the access that this machine has, and how to get more.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document.")
def command(*, as_json: bool) -> None:
    """Show the access that this machine has, in the order in which it is taken, and how to get more.

    It asks servers on this machine and looks for keys in the environment. Nothing is sent to anybody else.
    """
    from llm_orc.app.library import run_to_end
    from llm_orc.app.survey import survey

    app = app_here()
    seen = run_to_end(survey(app))
    if as_json:
        write_json(_value(seen))
    else:
        settings = app.paths.config / "config.yaml"
        write_data("".join(f"{line}\n" for line in (*_found_lines(seen), "", *_more_lines(seen, str(settings)))))


def _found_lines(seen: Survey) -> Iterator[str]:
    from llm_orc.cli.access_lines import WHO_PAYS

    yield "Access found, the best first:" if seen.found else "No access found: an ensemble can only be rehearsed."
    for found in seen.found:
        yield f"  {found.provider} {found.model or ''}".rstrip()
        yield f"    {WHO_PAYS[found.billing]} · {found.evidence}"
    provider = seen.default.provider or "the best of these"
    model = f", model {seen.default.model}" if seen.default.model else ""
    yield f"An agent that names no model uses the profile `default`: {provider}{model} ({seen.default.origin})"


def _more_lines(seen: Survey, settings: str) -> Iterator[str]:
    from llm_orc.providers.catalog import PROVIDERS

    have = {found.provider for found in seen.found}
    yield "To get more:"
    yield "  on this machine, free: start Ollama (https://ollama.com) with a model, e.g. `ollama pull qwen3`"
    yield "  a sign-in or an API key, kept encrypted: llm-orc auth add NAME, e.g. `llm-orc auth add openrouter`"
    for name, spec in PROVIDERS.items():
        if name not in have and spec.api_key_env and spec.keys_at:
            yield f"    {name}: or export {spec.api_key_env[0]}=…  (keys: {spec.keys_at})"
    yield "To choose one for good, and agree to its bill, write into " + settings + ":"
    yield "  model_profiles:"
    yield "    default: {provider: NAME, model: MODEL}"


def _value(seen: Survey) -> JsonValue:
    return {
        "found": [_found_value(found) for found in seen.found],
        "default": {
            "provider": seen.default.provider,
            "model": seen.default.model,
            "origin": str(seen.default.origin),
        },
    }


def _found_value(found: Found) -> JsonValue:
    return {
        "provider": found.provider,
        "model": found.model,
        "billing": str(found.billing),
        "evidence": found.evidence,
    }
