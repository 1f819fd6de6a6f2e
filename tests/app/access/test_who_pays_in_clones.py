"""Over clones, users' settings and trust of all kinds: no metered way that the user would not take by themselves."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_orc.app.access.choices import choices_of
from llm_orc.app.access.explain import explain_access
from llm_orc.app.access.finder import access_finder
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.projects.trust import trust_directory, view_trust
from llm_orc.app.wiring import App, open_app
from llm_orc.auth.access import Billing
from llm_orc.errors import AuthError, LlmOrcError
from llm_orc.net.transport import Answer, Feed, Transport, TransportError, Trouble
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.server import Sandbox
from llm_orc.settings.environment import ProcessEnvironment
from tests.app.access.test_one_story_properties import MACHINES, put_entries, put_older
from tests.app.access.test_one_story_properties import Machine as StoryMachine
from tests.app.conftest import KEY, Workspace, run
from tests.examples import many
from tests.fakes.access_place import VARIABLES, credential_of
from tests.fakes.access_place import Place as AccessPlace

PLAN = "anthropic-claude-pro-max"
_PROVIDERS = st.sampled_from(["openai-compatible", "anthropic-api", "openai", PLAN])
_WAYS = st.sampled_from(["api-key", "oauth", "claude-cli"])


def _some(**values: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries({}, optional=values)


def _profiles(*names: str) -> st.SearchStrategy[dict[str, object]]:
    profile = _some(
        provider=_PROVIDERS,
        auth_method=_WAYS,
        fallback_model_profile=st.sampled_from(names),
        max_tokens=st.integers(1, 20_000),
        options=st.just({"top_p": 0.5}),
        cost_per_token=st.just(0),
    ).map(lambda p: {**p, "model": "m"} if "provider" in p else p)
    return st.dictionaries(st.sampled_from(names), profile)


_LIMITS = _some(
    record=st.booleans(),
    keep_days=st.integers(1, 400) | st.none(),
    max_cost=st.floats(0, 9) | st.none(),
    max_calls=st.integers(0, 9) | st.none(),
    max_retries=st.integers(0, 9),
    timeout_seconds=st.integers(1, 9) | st.none(),
)
_USERS = st.fixed_dictionaries(
    {"model_profiles": _profiles("default", "mine"), "runs": _LIMITS},
    optional={
        "providers": st.just({PLAN: {"auth_method": ["claude-cli", "api-key"]}})
        | st.just({PLAN: {"allow_metered_fallback": True}})
    },
)
_CLONES = st.fixed_dictionaries({"model_profiles": _profiles("default", "mine", "theirs"), "runs": _LIMITS})
_NAMED = ("default", "mine", "theirs")
_MODELS: st.SearchStrategy[dict[str, object]] = st.one_of(
    _some(model_profile=st.sampled_from(_NAMED)),
    st.fixed_dictionaries({"provider": _PROVIDERS, "model": st.just("m")}),
    st.fixed_dictionaries({"model": _PROVIDERS}),
    st.just({}),
)
_AGENTS = _MODELS.flatmap(
    lambda agent: _some(auth_method=_WAYS, fallback_model_profile=st.sampled_from(_NAMED)).map(
        lambda more: {"name": "a", **agent, **more}
    )
)


class Machine(Transport):
    """The network of a machine: its local server lists a model, or nobody listens."""

    def __init__(self, *, has_server: bool) -> None:
        self._has_server = has_server

    def check(self, url: str) -> None: ...

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        feed: Feed | None = None,
        limit_s: float | None = None,
        most_bytes: int | None = None,
    ) -> Answer:
        assert KEY not in str(headers)
        if not self._has_server or ":4000/" not in url:
            raise TransportError(Trouble.NOT_SENT, "nobody listens")
        return Answer(200, {}, b'{"data": [{"id": "local"}]}')


def open_in(home: Path) -> App:
    environ = {"HOME": str(home), "ANTHROPIC_API_KEY": KEY, "OPENAI_API_KEY": KEY}
    return open_app(ProcessEnvironment(environ, sys.platform, home, home / "clone"))


def write(file: Path, content: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content), encoding="utf-8")


async def metered_ways(home: Path, *, has_server: bool) -> set[tuple[str, str]]:
    """Return which metered ways a run of the clone's ensemble could take, fallbacks included; none if refused."""
    async with AsyncExitStack() as stack:
        try:
            app = open_in(home)
            ensemble = find_ensemble(app, "one")
            finder = await stack.enter_async_context(access_finder(app, Machine(has_server=has_server)))
            ready = await finder.find_all(choices_of(ensemble, app.settings))
        except LlmOrcError:
            return set()
        return {
            (model.access.provider, model.access.method)
            for models in ready.by_agent.values()
            for model in models
            if model.access.billing is Billing.METERED
        }


def chooses(agent: Mapping[str, object]) -> bool:
    """Whether it names the first model that it asks; a fallback adds nothing that anybody has agreed to."""
    return any(
        (key, value) != ("model_profile", "default")
        for key, value in agent.items()
        if key in {"model_profile", "model", "provider", "auth_method"}
    )


def is_no_higher(limit: float | None, than: float | None) -> bool:
    return than is None or (limit is not None and limit <= than)


STORIES = given(users=_USERS, clones=_CLONES, agents=st.tuples(_AGENTS, _AGENTS), has_server=st.booleans())
Said = dict[str, object]


@pytest.mark.slow
@STORIES
@settings(max_examples=many(400), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_word_of_any_of_many_clones_makes_anybody_pay(
    users: Said, clones: Said, agents: tuple[Said, Said], *, has_server: bool
) -> None:
    check_clone(users, clones, agents, has_server=has_server)


def check_clone(
    users: Mapping[str, object],
    clones: Mapping[str, object],
    agents: tuple[Mapping[str, object], Mapping[str, object]],
    *,
    has_server: bool,
) -> None:
    agent, changed = agents
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder).resolve()
        config, ensemble = home / "clone/.llm-orc/config.yaml", home / "clone/.llm-orc/ensembles/one.yaml"
        providers = {"openai-compatible": {"base_url": "http://127.0.0.1:4000/v1"}}
        write(
            home / ".config/llm-orc/config.yaml", {**users, "providers": {**providers, **_of(users, "providers")}}
        )
        write(ensemble, {"name": "one", "agents": [{"name": "a"}]})
        try:
            alone = open_in(home)
        except LlmOrcError:  # fallbacks in a circle, or to a profile that is not there
            return
        agreed = asyncio.run(metered_ways(home, has_server=has_server))

        write(config, clones)
        write(ensemble, {"name": "one", "agents": [agent]})
        try:
            app = open_in(home)
        except LlmOrcError:
            return
        paid = asyncio.run(metered_ways(home, has_server=has_server))

        assert paid <= (set() if chooses(agent) else agreed)
        _settings_are_the_users(alone, app)

        trust_directory(app, home / "clone", view_trust(app, home / "clone"))
        trusted = asyncio.run(metered_ways(home, has_server=has_server))
        _write_as_users(home, clones, agent)
        as_users = asyncio.run(metered_ways(home, has_server=has_server))
        assert trusted == as_users

        _take_back(home)
        write(ensemble, {"name": "one", "agents": [{"name": "a"}]})
        agreed = asyncio.run(metered_ways(home, has_server=has_server))
        write(ensemble, {"name": "one", "agents": [changed]})
        if _choice(changed) != _choice(agent):
            paid = asyncio.run(metered_ways(home, has_server=has_server))
            assert paid <= (set() if chooses(changed) else agreed)


def _write_as_users(home: Path, settings: Mapping[str, object], agent: Mapping[str, object]) -> None:
    """Say the same in files of the user's own, in the place of the clone's."""
    (home / "clone/.llm-orc").rename(home / "away")
    write(home / ".config/llm-orc/config.local.yaml", settings)
    write(home / ".config/llm-orc/ensembles/one.yaml", {"name": "one", "agents": [agent]})


def _take_back(home: Path) -> None:
    (home / "away").rename(home / "clone/.llm-orc")
    (home / ".config/llm-orc/config.local.yaml").unlink()
    (home / ".config/llm-orc/ensembles/one.yaml").unlink()


def _of(mapping: Mapping[str, object], key: str) -> dict[str, object]:
    found = mapping.get(key) or {}
    assert isinstance(found, dict)
    return found


def _choice(agent: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in agent.items() if (key, value) != ("model_profile", "default")}


def _settings_are_the_users(alone: App, app: App) -> None:
    own, here = alone.settings, app.settings
    assert (here.runs.record, here.runs.keep_days) == (own.runs.record, own.runs.keep_days)
    for limit in ("max_cost_usd", "max_calls", "max_retries", "timeout_s", "max_concurrent", "max_cli_processes"):
        assert is_no_higher(getattr(here.runs, limit), getattr(own.runs, limit))
    for name, profile in own.profiles.items():
        if profile.origin.layer == "user":
            assert here.profiles[name] == profile
        else:
            unchosen = {"provider": None, "model": None, "auth_method": None, "fallback_model_profile": None}
            assert replace(here.profiles[name], **unchosen) == replace(profile, **unchosen)  # type: ignore[arg-type]


@pytest.mark.slow
@given(machine=MACHINES, way=st.none() | st.sampled_from(["api-key", "oauth"]))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_what_a_clone_sends_is_what_was_explained_and_never_paid_for_by_surprise(
    tmp_path_factory: pytest.TempPathFactory, machine: StoryMachine, way: str | None
) -> None:
    """On random machines: of the user's own file and of a clone's, before it is trusted and after."""
    server, root = OAuthServer(), tmp_path_factory.mktemp("clone")
    async with Sandbox(oauth=server) as sandbox:
        place = AccessPlace(Workspace(root / "user", {"PATH": "/nowhere"}), sandbox, server)
        place.workspace.project.mkdir(parents=True)
        place.settings(machine.provider, **({"auth_method": list(machine.order)} if machine.order else {}))
        put_entries(place, machine)
        put_older(place, machine)
        if machine.variable is not None and (name := VARIABLES.get(machine.provider)):
            place.workspace.environ[name] = machine.variable
        agent = {"name": "a", "provider": machine.provider, "model": "m", **({"auth_method": way} if way else {})}

        place.workspace.ensemble("own", agent)
        own = await _explained_and_sent(place, "own")
        place.workspace.cloned("one", agent)
        cloned = await _explained_and_sent(place, "one")
        app = place.workspace.app()
        trust_directory(app, place.workspace.project, view_trust(app, place.workspace.project))
        trusted = await _explained_and_sent(place, "one")

    assert cloned[0] is not Billing.METERED
    assert cloned == own if own[0] is not Billing.METERED else cloned == (None, "")
    assert trusted[0] == own[0]
    assert (trusted[1] == "") == (own[1] == "")


async def _explained_and_sent(place: AccessPlace, name: str) -> tuple[Billing | None, str]:
    """Return who pays by what is explained, which must be what the result says, and the credential that was sent."""
    app, before = place.workspace.app(), place.sandbox.request_count
    explained = result = None
    with suppress(AuthError):
        explained = (await explain_access(app, find_ensemble(app, name))).agents[0].access
    with suppress(AuthError):
        result = (await run(app, name))[0]["a"].access
    assert explained == result
    sent = [credential_of(request.headers) for request in place.sandbox.requests[before:]]
    return None if result is None else result.billing, sent[0] if sent else ""
