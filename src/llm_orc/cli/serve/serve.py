"""`llm-orc serve`: ensembles for programs that speak to models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from llm_orc.cli.shell.access_lines import WHO_PAYS
from llm_orc.cli.shell.arguments import EnsembleName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.options import DOLLARS, app_here
from llm_orc.cli.shell.output.streams import note, write_data
from llm_orc.errors import EnsembleInvalid, InputError, LlmOrcError
from llm_orc.formats.figures import count
from llm_orc.formats.printable import one_line, unmistakable
from llm_orc.formats.sentences import SANDBOX_NOTE
from llm_orc.net.origin import is_loopback
from llm_orc.server.keys import ClientKeys, read_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.app.access.models import AccessPlan
    from llm_orc.app.serving.offers import NotOffered, Offer, Offers
    from llm_orc.app.serving.served import Served, ServeTerms
    from llm_orc.app.wiring import App
    from llm_orc.cli.shell.stoppable import Stopping
    from llm_orc.server.http_server import Listening

_USUAL_PORT = 4716


@define_command({0: "stopped by Ctrl-C or SIGTERM"})
@click.argument("names", metavar="[ENSEMBLE]...", nargs=-1, type=EnsembleName())
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="Listen on this address, e.g. `--host ::1`.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=_USUAL_PORT,
    metavar="PORT",
    help="Listen on this port, e.g. `--port 8080`; 0: any free one.",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Answer only clients with a key of this file, one on each line, e.g. `~/.llm-orc-keys`."
    "  [default: no key, on loopback alone]",
)
@click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    metavar="ORIGIN",
    help="Also answer this web page, e.g. `https://chat.example`; may be repeated.",
)
@click.option(
    "--allow-metered",
    is_flag=True,
    help="Agree to calls that are billed per token or to a plan's credits, for all clients."
    "  [default: what you have agreed to]",
)
@click.option(
    "--max-cost",
    "max_cost_usd",
    type=DOLLARS,
    metavar="USD",
    help="Make no metered call that might bring a request above this, e.g. `0.05`.  [default: none]",
)
@click.option(
    "--max-calls",
    type=click.IntRange(min=0),
    metavar="N",
    help="Send no more than this to providers for one request, e.g. `20`.  [default: no limit]",
)
@click.option(
    "--max-requests",
    "most_requests",
    type=click.IntRange(min=1),
    default=1000,
    metavar="N",
    help="Answer so many requests at once, e.g. `50`; others are told to come again.",
)
@click.option(
    "--grace",
    "grace_s",
    type=click.FloatRange(min=0),
    default=30.0,
    metavar="SECONDS",
    help="When told to stop, give answers so long to end, e.g. `--grace 5`; the rest can be resumed.",
)
@click.option("--rehearse", is_flag=True, help="Answer with canned text from the sandbox; no model is asked.")
@click.option("-q", "--quiet", is_flag=True, help="Write no line for each request.")
def command(
    *,
    names: tuple[str, ...],
    host: str,
    port: int,
    token_file: Path | None,
    origins: tuple[str, ...],
    allow_metered: bool,
    max_cost_usd: float | None,
    max_calls: int | None,
    most_requests: int,
    grace_s: float,
    rehearse: bool,
    quiet: bool,
) -> int:
    """Serve ensembles to programs that speak OpenAI's protocols, until Ctrl-C.

    Each ensemble is a model, each of its agents (ENSEMBLE:AGENT) and each model profile (profile:NAME) too;
    without ENSEMBLE all that you can invoke by name. Standard output has the base URL for clients. Each request is
    a run, recorded like any other. The server listens on this machine alone, unless it has keys for its clients.

    \b
    llm-orc serve
    llm-orc serve council --port 8080
    llm-orc serve council --host 0.0.0.0 --token-file keys.txt --max-cost 0.10
    """
    from llm_orc.app.access.consent import Consent, unattended
    from llm_orc.app.runs.request import RunLimits
    from llm_orc.app.serving.offers import Offers
    from llm_orc.app.serving.served import ServeTerms
    from llm_orc.cli.shell.stoppable import run_stoppable
    from llm_orc.server.guard import Guard, read_origin
    from llm_orc.server.http_server import Listening

    keys = ClientKeys() if token_file is None else read_keys(token_file.expanduser())
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    is_own = is_loopback(host)
    allowed = frozenset(read_origin(origin) for origin in origins)
    listening = Listening(host, port, grace_s, most_requests, Guard(is_own, keys, allowed))
    listening.refuse_open()
    app = unattended(app_here())
    offers = Offers(app, names)
    terms = ServeTerms(
        Consent(allow_metered),
        "own machine" if is_own else "open server",
        RunLimits(max_cost_usd=max_cost_usd, max_calls=max_calls),
        rehearse,
    )
    run_stoppable(
        lambda stopping: _serve(app, offers, terms, listening, stopping, quiet=quiet),
        f"Stopping: answers under way may take up to {grace_s:g} s; Ctrl-C again ends them.",
    )
    return 0


async def _serve(
    app: App, offers: Offers, terms: ServeTerms, listening: Listening, stopping: Stopping, *, quiet: bool
) -> None:
    from llm_orc.app.runs.runtime import Runtime
    from llm_orc.app.serving.served import Served
    from llm_orc.server.http_server import HttpServer
    from llm_orc.server.openai.door import OpenAiDoor
    from llm_orc.server.openai.errors import refused

    if terms.rehearse:
        note(SANDBOX_NOTE)
    missing = await offers.missing()
    if missing and not await offers.all():
        raise missing[0].because
    async with Runtime(app) as runtime:
        served = Served(runtime, terms)
        door = OpenAiDoor(offers, served, app.clock.now)
        server = HttpServer([door], listening, refused, (lambda _line: None) if quiet else note)
        async with server:
            for line in await _who_pays(offers, missing, served):
                note(line)
            write_data(f"{server.origin}/v1\n")
            note(f"Serving OpenAI's protocols at {server.origin}/v1. Ctrl-C ends it.")
            await stopping.event.wait()


async def _who_pays(offers: Offers, missing: Sequence[NotOffered], served: Served) -> list[str]:
    """Return what each ensemble would use now, or why it can't be used."""
    import asyncio

    ensembles = [offer for offer in await offers.all() if ":" not in offer.id]
    plans = await asyncio.gather(*(served.plan(offer) for offer in ensembles), return_exceptions=True)
    lines = [_line(offer, plan) for offer, plan in zip(ensembles, plans, strict=True)]
    untold = [unmistakable(one.name) for one in missing if isinstance(one.because, InputError)]
    wrong = [
        _wrong(one.name, "not offered", one.because) for one in missing if one.because.code != InputError.code
    ]
    return lines + wrong + ([f"not offered, as clients give a task alone: {', '.join(untold)}"] if untold else [])


def _wrong(name: str, what: str, error: LlmOrcError) -> str:
    hint = error.hint or (f"`llm-orc check {name}`" if isinstance(error, EnsembleInvalid) else "")
    hint = f" ({one_line(hint)})" if hint else ""
    return f"{unmistakable(name)}: {what}: {one_line(error.message)}{hint}"


def _line(offer: Offer, plan: AccessPlan | BaseException) -> str:
    name = unmistakable(offer.id)
    if isinstance(plan, LlmOrcError):
        return _wrong(offer.id, "can't be used now", plan)
    if isinstance(plan, BaseException):
        raise plan
    used = {(agent.model, agent.access): None for agent in plan.agents}
    used |= {fallback: None for agent in plan.agents for fallback in agent.fallbacks}
    parts = [f"{access.provider} {model} ({WHO_PAYS[access.billing]})" for model, access in used]
    if plan.programs and not any(agent.access.method == "sandbox" for agent in plan.agents):
        parts.append(f"starts {count(len(plan.programs), 'program')}")
    if plan.people:
        parts.append("asks a person")
    return unmistakable(f"{name}: {', '.join(parts) or 'asks no model'}")
