"""Find problems on this machine, each with its fix. Changes nothing."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import stat
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Literal

from llm_orc.app.access.explain import default_access
from llm_orc.app.accounts.official_cli import look_at_clis
from llm_orc.app.accounts.status import auth_status
from llm_orc.app.diagnostics.clock_skew import CURE, NOTABLE_S, skew_words
from llm_orc.app.projects.in_force import in_force, trust_command
from llm_orc.app.setup.inventory import inventory
from llm_orc.app.wiring import open_app
from llm_orc.auth.access import Billing
from llm_orc.catalog.table import OFFICIAL_CLIS, stray_keys
from llm_orc.dataclass import dataclass
from llm_orc.errors import EnsembleInvalid, LlmOrcError, MeteredNotAllowed, SettingsError
from llm_orc.net.http import Http
from llm_orc.net.transport import TransportError, Trouble
from llm_orc.providers.base import Target
from llm_orc.providers.endpoint import endpoint_of
from llm_orc.providers.errors.failures import from_transport
from llm_orc.providers.lookup import find_provider

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from llm_orc.app.accounts.status import AuthStatus
    from llm_orc.app.wiring import App
    from llm_orc.providers.endpoint import Endpoint
    from llm_orc.providers.official_cli.state import CliState
    from llm_orc.settings.environment import ProcessEnvironment

Grade = Literal["ok", "warning", "fault"]
_LEAST_FREE = 100 * 1024 * 1024  # bytes
_ANSWER_S = 10.0
_SETUP = "llm-orc setup"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. `fix` is what to do, if anything."""

    area: str
    grade: Grade
    says: str
    fix: str | None = None


async def examine(environment: ProcessEnvironment, *, online: bool = True) -> tuple[Finding, ...]:
    """Return the findings, area by area; `online` asks the servers in use for their time, without a credential."""
    found = [Finding("program", "ok", f"Python {platform.python_version()} on {platform.system()}")]
    try:
        app = open_app(environment)
    except SettingsError as e:
        return (*found, *_of_error("settings", e))
    found += _settings(app)
    found += await asyncio.to_thread(lambda: [*_ensembles(app), *_files(app), *_databases(app)])
    clis = await look_at_clis(app)
    try:
        status = await asyncio.to_thread(auth_status, app, None, clis)
    except LlmOrcError as e:
        return (*found, *_programs(clis), *_of_error("access", e))
    found += [*_credentials(status), *_programs(clis), *_stray_keys(app, status, clis)]
    found += await _default(app)
    found += await _servers(app, status, online=online)
    return tuple(found)


def _of_error(area: str, error: LlmOrcError) -> Iterator[Finding]:
    for problem in error.problems:
        yield Finding(area, "fault", str(problem), problem.hint)
    if not error.problems:
        yield Finding(area, "fault", error.message, error.hint)


def _settings(app: App) -> Iterator[Finding]:
    own = app.paths.config / "config.yaml"
    yield Finding("settings", "ok", f"{own} can be read" if own.exists() else f"none of your own yet ({own})")
    for name, problems in app.settings.broken_profiles.items():
        for problem in problems:
            yield Finding(
                "settings", "fault", f"the model profile `{name}` can't be used: {problem}", problem.hint
            )
    for notice in app.settings.notices:
        yield Finding("settings", "warning", str(notice), notice.hint)
    for withheld in app.settings.withheld:
        says = f"`{withheld.key}` in {withheld.origin} has no effect: its project is not trusted"
        yield Finding("settings", "warning", says, "After reading the file: `llm-orc trust`.")


def _ensembles(app: App) -> Iterator[Finding]:
    listing = app.library.listing()
    for problem in listing.broken:
        yield Finding("ensembles", "fault", str(problem), problem.hint or f"llm-orc check {problem.file}")
    for notice in listing.notices:
        yield Finding("ensembles", "warning", notice)
    for entry in listing.entries:
        if entry.place == "project" and (withheld := _without_trust(app, entry.path)):
            says = f"{', '.join(f'`{key}`' for key in withheld)} in {entry.path} has no effect without your trust"
            yield Finding(
                "ensembles", "warning", says, f"After reading it: `{trust_command(app, str(entry.path))}`."
            )
    if not listing.broken:
        yield Finding("ensembles", "ok", f"{len(listing.entries)} can be read")


def _without_trust(app: App, file: Path) -> tuple[str, ...]:
    try:
        source = in_force(app, app.library.load(file, "project")).ensemble.source
    except EnsembleInvalid:  # it has changed since it was listed
        return ()
    return () if source is None else source.withheld


def _files(app: App) -> Iterator[Finding]:
    """Check that others can't read credentials, runs and conversations."""
    if os.name == "nt":
        return
    private = [app.paths.state, app.paths.runs_database, app.paths.conversations_database]
    private += [
        app.paths.batches_database,
        app.paths.config / "credentials.json",
        app.paths.state / "chat_history",
    ]
    loose = [*_loose(private)]
    for path, mode in loose:
        fix = f"chmod {'700' if path.is_dir() else '600'} {path}"
        yield Finding("files", "fault", f"others have access to {path} (mode {mode:o})", fix)
    if not loose:
        yield Finding("files", "ok", "only you can read your credentials, runs and conversations")
    place = next((p for p in (app.paths.state, *app.paths.state.parents) if p.exists()), app.environment.home)
    free = shutil.disk_usage(place).free
    if free < _LEAST_FREE:
        yield Finding("files", "fault", f"{place} has {free // 1_000_000} MB left", "Free some space.")


def _loose(paths: Iterable[Path]) -> Iterator[tuple[Path, int]]:
    for path in paths:
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            continue
        if mode & 0o077:
            yield path, mode


def _databases(app: App) -> Iterator[Finding]:
    import sqlite3  # noqa: PLC0415 - only here

    for what, path in (("runs", app.paths.runs_database), ("conversations", app.paths.conversations_database)):
        if not path.exists():
            continue
        try:
            connection = sqlite3.connect(path.absolute().as_uri() + "?mode=ro", uri=True)
            try:
                (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            finally:
                connection.close()
        except sqlite3.Error as e:
            said = str(e)
        size = path.stat().st_size / 1_000_000
        if said == "ok":
            yield Finding("storage", "ok", f"the {what} are intact ({size:.1f} MB)")
        else:
            fix = f"Keep a copy of {path}, then move it away: a new one will be created."
            yield Finding("storage", "fault", f"{path} is damaged: {said}", fix)


def _credentials(status: AuthStatus) -> Iterator[Finding]:
    if not status.store.is_usable:
        yield Finding("access", "fault", status.store.words, status.store.hint)
    for notice in status.notices:
        yield Finding("access", "warning", notice)
    for one in status.credentials:
        whose = f"`{one.provider}`" + (f" (account `{one.account}`)" if one.account else "")
        if one.is_used:
            yield Finding("access", "ok", f"{whose}: {one.state}, {one.billing}; {one.source}")
        elif one.shadowed_by is not None:
            yield Finding("access", "warning", f"{whose}: the {one.source} is not used; {one.use}")
        elif one.provider in status.without_way and not one.is_usable:
            yield Finding("access", "fault", f"{whose}: {one.state}; {one.why}", one.hint)
        if one.clock_skew_s is not None and abs(one.clock_skew_s) > NOTABLE_S:
            yield _skewed(f"the server that signed you in to `{one.provider}`", one.clock_skew_s)


def _programs(clis: dict[str, CliState]) -> Iterator[Finding]:
    for state in clis.values():
        if state.path is None:
            continue
        if state.problem is None:
            yield Finding("programs", "ok", state.in_words)
        else:
            yield Finding("programs", "warning", state.problem.message, state.problem.hint)


def _stray_keys(app: App, status: AuthStatus, clis: dict[str, CliState]) -> Iterator[Finding]:
    """Find keys that the vendor's own program would use instead of the plan."""
    for row in OFFICIAL_CLIS.values():
        state = clis.get(row.name)
        has_plan = state is not None and state.login == "plan"
        if not has_plan or state is None:
            continue
        for variable in stray_keys(row, app.environment.environ):
            yield Finding(
                "billing",
                "warning",
                f"{variable} is set: started by hand, `{state.command}` may bill this key instead of your plan"
                " (llm-orc hides it from the program)",
                f"Run `unset {variable}`, and remove it from your shell profile.",
            )
    used = {one.billing for one in status.credentials if one.is_used}
    if not any(billing.may_cost for billing in used):
        yield Finding("billing", "ok", "no credential in use is billed per token")
    elif Billing.METERED not in used:
        says = "no credential in use is billed per token; beyond a plan's allowance, its account decides"
        yield Finding("billing", "ok", says)


async def _default(app: App) -> list[Finding]:
    default = await default_access(app)
    if not isinstance(default, LlmOrcError):
        says = f"agents that name no model use `{default.access.provider}`: {default.access.source}"
        return [Finding("access", "ok", says)]
    unnamed = next(
        (one.choice.base_url for one in (await inventory(app)).found if one.choice.base_url is not None), None
    )
    if unnamed is not None:
        return [Finding("access", "warning", f"a server answers at {unnamed}, and no setting names it", _SETUP)]
    if isinstance(default, MeteredNotAllowed):
        fix = _SETUP if default.named_in is None else trust_command(app, default.named_in)
        return [Finding("access", "warning", f"agents without a model need your consent: {default.message}", fix)]
    return [Finding("access", "fault", default.message, _SETUP)]


async def _servers(app: App, status: AuthStatus, *, online: bool) -> list[Finding]:
    names = dict.fromkeys(one.provider for one in status.credentials if one.is_used and one.place != "program")
    endpoints: list[Endpoint] = []
    found: list[Finding] = []
    for name in names:
        try:
            spec = find_provider(name, app.settings.providers)
            endpoints.append(endpoint_of(spec, app.settings.providers))
        except LlmOrcError as e:
            found.append(Finding("network", "fault", e.message, e.hint))
    async with Http(app.settings.network, max_connections=8) as http:
        asked = await asyncio.gather(*(_server(app, http, endpoint, online=online) for endpoint in endpoints))
    return [*found, *(finding for findings in asked for finding in findings)]


async def _server(app: App, http: Http, endpoint: Endpoint, *, online: bool) -> list[Finding]:
    """Check that the server answers. Any status will do; the request carries no credential."""
    began = app.clock.monotonic()
    try:
        http.check(endpoint.base_url)
        if not online:
            return []
        answer = await http.send("GET", endpoint.origin + "/", {}, limit_s=_ANSWER_S)
    except TransportError as e:
        if e.trouble is Trouble.TOO_LARGE:
            return [Finding("network", "ok", f"{endpoint.origin} answers, with more than is read")]
        error = from_transport(e, Target(endpoint.provider, "any"), endpoint.origin)
        return [Finding("network", "fault", error.message, error.hint)]
    except LlmOrcError as e:
        return [Finding("network", "fault", e.message, e.hint)]
    took = app.clock.monotonic() - began
    findings = [Finding("network", "ok", f"{endpoint.origin} answers ({took:.2f} s)")]
    try:
        skew = parsedate_to_datetime(answer.headers.get("date") or "").timestamp() - app.clock.now()
    except (ValueError, TypeError):
        return findings
    if abs(skew) > NOTABLE_S:
        findings.append(_skewed(f"`{endpoint.origin}`", skew))
    return findings


def _skewed(whose: str, skew_s: float) -> Finding:
    """`skew_s` is their time minus ours."""
    return Finding("clock", "warning", skew_words(whose, skew_s), CURE)
