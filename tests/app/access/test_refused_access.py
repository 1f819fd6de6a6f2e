"""A credential that was refused, or has ended, is told so, not sent again, and tried once more when its user says so."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from llm_orc.app.accounts.verify import try_access
from llm_orc.errors import AuthError, CredentialRefused
from llm_orc.sandbox.faults import Fault, Status
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace, run
from tests.fakes.access_place import MINE, PRO_MAX, Place, leave_older_store, one_story

WRONG_KEY = '{"error": {"message": "Incorrect API key provided: sk-canary-771", "code": "invalid_api_key"}}'
REVOKED = '{"type":"error","error":{"type":"permission_error","message":"OAuth token has been revoked."}}'
NO_MODEL = '{"error": {"message": "Project does not have access to model `m`"}}'


def provider_says(status: int, body: str, times: int | None = 1) -> Fault:
    return Fault(Status(status, body=body), times=times)


@pytest.fixture
async def refusing(workspace: Workspace) -> AsyncIterator[Place]:
    """The first request with a key is refused; what comes after it would be taken."""
    server = OAuthServer()
    async with Sandbox(oauth=server, faults=[provider_says(401, WRONG_KEY)]) as sandbox:
        workspace.environ = {"PATH": "/nowhere"}
        yield Place(workspace, sandbox, server)


@pytest.fixture
async def closed(workspace: Workspace) -> AsyncIterator[Place]:
    """Every key is refused; one is stored for `openai`."""
    server = OAuthServer()
    async with Sandbox(oauth=server, faults=[provider_says(401, WRONG_KEY, times=None)]) as sandbox:
        workspace.environ = {"PATH": "/nowhere"}
        place = Place(workspace, sandbox, server)
        place.settings("openai")
        place.key("openai", "sk-canary-771")
        yield place


async def ask(place: Place, provider: str) -> str:
    """Run one agent; return the code of what went wrong, empty where nothing did."""
    place.workspace.ensemble("one", {"name": "a", "provider": provider, "model": "m"})
    try:
        result, _ = await run(place.workspace.app(), "one")
    except AuthError as e:
        return e.code
    error = result["a"].error
    return "" if error is None else error.code


@pytest.mark.parametrize("where", ["store", "environment", "configuration"])
async def test_a_refused_key_is_not_sent_again_before_it_is_tested(refusing: Place, where: str) -> None:
    place, key = refusing, "sk-canary-771"
    place.settings("openai", **({"api_key_env": "WORK_KEY"} if where == "configuration" else {}))
    if where == "store":
        place.key("openai", key)
    else:
        place.workspace.environ["OPENAI_API_KEY" if where == "environment" else "WORK_KEY"] = key

    codes = [await ask(place, "openai"), await ask(place, "openai")]
    status = await place.status("openai")
    sent_by_runs = place.sandbox.request_count
    await try_access(place.workspace.app(), "openai", "m")

    assert codes == ["credential_refused", "credential_refused"]
    assert sent_by_runs == 1
    assert (status.credentials[0].state, status.is_good) == ("refused", False)
    assert place.sandbox.request_count == 2
    assert (await place.status("openai")).is_good
    assert await ask(place, "openai") == ""
    remembered = (place.workspace.app().paths.state / "refusals.json").read_text()
    assert key not in remembered


async def test_a_test_that_is_refused_too_is_remembered_again(closed: Place) -> None:
    await ask(closed, "openai")

    with pytest.raises(CredentialRefused):
        await try_access(closed.workspace.app(), "openai", "m")
    code = await ask(closed, "openai")

    assert code == "credential_refused"
    assert closed.sandbox.request_count == 2


async def test_a_dead_key_is_sent_once_however_many_agents_there_are(closed: Place) -> None:
    agents = [{"name": f"a{i}", "provider": "openai", "model": "m"} for i in range(4)]
    chained = [{**agent, "depends_on": [f"a{i - 1}"][:i], "requires": "none"} for i, agent in enumerate(agents)]
    closed.workspace.ensemble("chain", *chained)

    await run(closed.workspace.app(), "chain")

    assert closed.sandbox.request_count == 1


async def test_a_key_that_may_not_use_one_model_goes_on_being_used(workspace: Workspace) -> None:
    server = OAuthServer()
    async with Sandbox(oauth=server, faults=[provider_says(403, NO_MODEL)]) as sandbox:
        workspace.environ = {"PATH": "/nowhere"}
        place = Place(workspace, sandbox, server)
        place.settings("openai")
        place.key("openai", "sk-1")

        codes = [await ask(place, "openai"), await ask(place, "openai")]

    assert codes == ["credential_refused", ""]


async def test_a_refusal_holds_for_its_server_alone(refusing: Place) -> None:
    place = refusing
    place.settings("openai")
    place.workspace.environ["OPENAI_API_KEY"] = "sk-1"
    await ask(place, "openai")
    async with Sandbox() as other:
        place.settings("openai", base_url=other.base_url("openai-responses"))

        assert await ask(place, "openai") == ""


@pytest.mark.parametrize("how", ["ended", "revoked", "no-client", "no-refresh-token"])
async def test_a_sign_in_that_the_server_has_ended_is_not_sent_again(workspace: Workspace, how: str) -> None:
    server = OAuthServer()
    faults = [provider_says(403, REVOKED)] if how == "revoked" else []
    async with Sandbox(oauth=server, require_token=True, faults=faults) as sandbox:
        workspace.environ = {"PATH": "/nowhere"}
        place = Place(workspace, sandbox, server)
        place.settings(PRO_MAX)
        if how == "no-client":
            endpoint = {"token_endpoint": server.token_endpoint, "authorization_endpoint": server.token_endpoint}
            place.settings(PRO_MAX, oauth=endpoint)
        place.sign_in(
            PRO_MAX,
            renewable=how != "no-refresh-token",
            client_id=None if how == "no-client" else "llm-orc-sandbox-client",
        )
        if how != "revoked":
            server.revoke_everything()
        first = await ask(place, PRO_MAX)
        counted = server.refresh_count
        used, sent = await one_story(place, PRO_MAX)

    assert first != ""
    assert (used, sent) == (None, "")
    assert server.refresh_count == counted


async def test_a_sign_in_that_was_refused_is_tried_once_more_by_a_test(workspace: Workspace) -> None:
    server = OAuthServer()
    async with Sandbox(oauth=server, faults=[provider_says(403, REVOKED)]) as sandbox:
        workspace.environ = {"PATH": "/nowhere"}
        place = Place(workspace, sandbox, server)
        place.settings(MINE)
        token = place.sign_in(MINE)
        await ask(place, MINE)
        before = (await place.status(MINE)).credentials[0].state
        await try_access(workspace.app(), MINE, "m")
        used, sent = await one_story(place, MINE)

    assert before == "refused"
    assert used is not None
    assert (used.state, sent) == ("verified", token)


async def test_noting_a_refusal_copies_nothing_of_an_earlier_release(refusing: Place) -> None:
    place = refusing
    place.settings("openai")
    leave_older_store(place.workspace, {"openai": {"auth_method": "api_key", "api_key": "sk-old"}})

    await ask(place, "openai")

    assert (await place.status("openai")).credentials[0].state == "refused"
    assert not (place.workspace.config / "credentials.json").exists()


async def test_an_agent_that_names_no_model_is_told_that_what_is_there_was_refused(closed: Place) -> None:
    closed.providers["openai-compatible"] = {"base_url": "http://127.0.0.1:9/v1"}
    closed.settings("openai")
    await ask(closed, "openai")
    closed.workspace.ensemble("open", {"name": "a"})

    with pytest.raises(AuthError, match="has refused the stored API key") as caught:
        await run(closed.workspace.app(), "open")

    assert "llm-orc auth test openai" in (caught.value.hint or "")
