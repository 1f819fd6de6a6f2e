"""What `auth status` marks as used is what `explain` says, what a run sends, and who pays in its result."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from llm_orc.app.access.explain import default_access
from llm_orc.app.accounts.auth_methods import open_provider
from llm_orc.app.accounts.sign_in import add_api_key
from llm_orc.app.migration.migrate import billing_words, copy
from llm_orc.app.migration.migrate import look as look_for_older
from llm_orc.auth.access import Billing
from llm_orc.auth.secret import Secret
from llm_orc.errors import AuthError, LlmOrcError, MeteredNotAllowed
from llm_orc.sandbox.oauth.clients import CLIENT_ID
from tests.app.conftest import run
from tests.fakes.access_place import MINE, PRO_MAX, Place, leave_older_store, one_story
from tests.fakes.claude import LOGGED_OUT, install

# --- the documented order ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("order", "method"), [(["api-key", "oauth"], "api-key"), (["oauth", "api-key"], "oauth")])
async def test_of_a_key_and_a_later_sign_in_the_one_that_the_configuration_prefers_is_used(
    place: Place, order: list[str], method: str
) -> None:
    place.settings(MINE, auth_method=order)
    place.key(MINE, "sk-metered-key")
    token = place.sign_in(MINE, "plan")

    used, sent = await one_story(place, MINE)

    assert used is not None
    assert used.method == method
    assert sent == {"api-key": "sk-metered-key", "oauth": token}[method]


async def test_without_a_preference_the_account_that_was_added_last_is_used(place: Place) -> None:
    place.settings(MINE)
    place.key(MINE, "sk-metered-key")
    token = place.sign_in(MINE, "plan")

    used, sent = await one_story(place, MINE)

    assert used is not None
    assert (used.account, used.billing) == ("plan", Billing.SUBSCRIPTION)
    assert sent == token


async def test_a_sign_in_of_an_earlier_release_waits_behind_a_logged_in_program(
    place: Place, tmp_path: Path
) -> None:
    claude = install(tmp_path / "stand-in")
    place.workspace.environ = {"PATH": claude.path}
    place.settings(PRO_MAX)
    issued = place.server.issue_tokens()
    entry = {"auth_method": "oauth", "access_token": issued.access_token, "refresh_token": issued.refresh_token}
    leave_older_store(place.workspace, {PRO_MAX: {**entry, "client_id": CLIENT_ID}})

    used, sent = await one_story(place, PRO_MAX)

    assert used is not None
    assert (used.method, sent) == ("claude-cli", "")
    [older] = [c for c in (await place.status(PRO_MAX)).credentials if c.place == "older-store"]
    assert not older.is_used


async def test_a_sign_in_of_an_earlier_release_is_told_as_such_where_it_is_used_and_stays_so(place: Place) -> None:
    place.settings(PRO_MAX)
    issued = place.server.issue_tokens()
    entry = {"auth_method": "oauth", "access_token": issued.access_token, "refresh_token": issued.refresh_token}
    older = {**entry, "client_id": CLIENT_ID, "expires_at": int(time.time()) - 5}
    leave_older_store(place.workspace, {PRO_MAX: older})
    place.workspace.ensemble("one", {"name": "a", "provider": PRO_MAX, "model": "m"})

    for _ in range(2):  # the renewal copies it into our store, and that makes it nobody's choice
        _, seen = await run(place.workspace.app(), "one")
        [agent] = seen.plans[0].agents
        assert agent.why.startswith("an earlier release left it")
        assert any("earlier release" in notice and "auth migrate" in notice for notice in seen.plans[0].notices)
    used = await place.used(PRO_MAX)

    assert used is not None
    assert used.place == "older-store"


async def test_a_key_of_an_earlier_release_is_no_consent_to_a_bill(place: Place) -> None:
    place.settings("anthropic-api")
    place.workspace.settings(
        {
            "providers": {
                "anthropic-api": place.providers["anthropic-api"],
                "ollama": {"base_url": "http://127.0.0.1:9/v1"},
            }
        }
    )
    leave_older_store(place.workspace, {"anthropic-api": {"auth_method": "api_key", "api_key": "sk-old"}})
    place.workspace.ensemble("open", {"name": "a"})

    with pytest.raises(AuthError, match="per token"):
        await run(place.workspace.app(), "open")

    assert place.sandbox.request_count == 0


async def test_a_sign_in_of_an_earlier_release_counts_as_a_plan_only_where_its_provider_has_one(
    place: Place,
) -> None:
    place.settings("anthropic-api")
    entry = {"auth_method": "oauth", "access_token": "at-old-of-an-api"}
    leave_older_store(place.workspace, {"anthropic-api": entry})

    used, _ = await one_story(place, "anthropic-api")

    assert used is not None
    assert used.billing is Billing.METERED


async def test_a_key_that_is_named_for_a_plan_is_never_sent_as_if_the_plan_paid(place: Place) -> None:
    place.settings(PRO_MAX, api_key_env="STRAY", auth_method="oauth")
    place.workspace.environ["STRAY"] = "sk-stray"

    used, sent = await one_story(place, PRO_MAX)

    assert (used, sent) == (None, "")


# --- what can't be used ------------------------------------------------------------------------------------


async def test_a_refused_key_is_shown_so_not_sent_and_replaced_by_nothing_that_was_merely_found(
    place: Place,
) -> None:
    place.settings("openai")
    place.key("openai", "sk-refused")
    place.refuse("openai", "sk-refused")
    place.workspace.environ["OPENAI_API_KEY"] = "sk-in-the-environment"

    used, sent = await one_story(place, "openai")

    assert (used, sent) == (None, "")
    rows = (await place.status("openai")).credentials
    assert [(row.place, row.state) for row in rows] == [("store", "refused"), ("environment", "unverified")]
    assert "auth test openai" in str(rows[0].hint)


async def test_another_key_in_the_place_of_a_refused_one_is_tried(place: Place) -> None:
    place.settings("openai")
    place.key("openai", "sk-refused")
    place.refuse("openai", "sk-refused")
    place.key("openai", "sk-new")

    used, sent = await one_story(place, "openai")

    assert used is not None
    assert (used.state, sent) == ("unverified", "sk-new")


async def test_an_expired_sign_in_without_a_client_id_is_not_said_to_renew_itself(place: Place) -> None:
    place.settings(PRO_MAX, oauth={"token_endpoint": place.server.token_endpoint})
    place.sign_in(PRO_MAX, lifetime_s=-5, client_id=None)

    used, sent = await one_story(place, PRO_MAX)

    assert (used, sent) == (None, "")
    [row] = [c for c in (await place.status(PRO_MAX)).credentials if c.place == "store"]
    assert row.state == "expired"
    assert "client id" in row.why


async def test_a_preferred_program_that_is_logged_out_is_not_used(place: Place, tmp_path: Path) -> None:
    claude = install(tmp_path / "stand-in")
    claude.set_up(status=LOGGED_OUT)
    place.workspace.environ = {"PATH": claude.path}
    place.settings(PRO_MAX, auth_method="claude-cli")

    used, sent = await one_story(place, PRO_MAX)

    assert (used, sent) == (None, "")
    [row] = (await place.status()).credentials
    assert (row.provider, row.method, row.state, row.hint) == (
        PRO_MAX,
        "claude-cli",
        "absent",
        "claude auth login",
    )
    assert not (await place.status()).is_good


async def test_a_plan_that_was_chosen_and_failed_is_not_replaced_by_a_stored_key_unasked(place: Place) -> None:
    place.providers["openai-compatible"] = {"base_url": "http://127.0.0.1:9/v1"}
    place.settings(MINE, default_model="m")
    place.settings("openai")
    place.sign_in(MINE, lifetime_s=-5, renewable=False)
    place.key("openai", "sk-metered")
    place.workspace.ensemble("open", {"name": "a"})

    with pytest.raises(AuthError) as caught:
        await run(place.workspace.app(), "open")

    assert "has expired" in caught.value.message
    assert "per token" in caught.value.message
    assert place.sandbox.request_count == 0


@pytest.mark.parametrize("value", ["", "  ", "\n"])
async def test_a_blank_variable_is_none(place: Place, value: str) -> None:
    place.settings("openai")
    place.workspace.environ["OPENAI_API_KEY"] = value

    used, sent = await one_story(place, "openai")

    assert (used, sent) == (None, "")


async def test_a_key_file_that_can_not_be_read_stops_the_run_and_the_status(place: Place) -> None:
    place.settings("openai", api_key_file=str(place.workspace.root / "no-such-file"))
    place.workspace.environ["OPENAI_API_KEY"] = "sk-in-the-environment"

    used, sent = await one_story(place, "openai")

    assert (used, sent) == (None, "")
    [row] = (await place.status("openai")).credentials
    assert (row.place, row.state) == ("configuration", "absent")


async def test_a_server_that_needs_no_credential_is_good_without_one(place: Place) -> None:
    place.settings("openai")

    used, _ = await one_story(place, "openai-compatible")

    assert used is not None
    assert used.billing is Billing.LOCAL


async def test_a_damaged_entry_is_called_damaged_and_stops_what_it_would_have_paid_for(place: Place) -> None:
    place.settings("openai")
    place.key("openai", "sk-1")
    file = place.workspace.config / "credentials.json"
    text = file.read_text()
    at = text.index('"ciphertext": "') + len('"ciphertext": "')
    file.write_text(text[:at] + ("B" if text[at] != "B" else "C") + text[at + 1 :])
    place.workspace.environ["OPENAI_API_KEY"] = "sk-in-the-environment"

    used, sent = await one_story(place, "openai")

    assert (used, sent) == (None, "")
    row = (await place.status()).credentials[0]
    assert row.state == "damaged"
    assert str(file) in row.why
    assert "llm-orc auth remove openai" in str(row.hint)


async def test_what_an_earlier_release_left_is_its_users_choice_once_it_was_migrated(place: Place) -> None:
    place.settings(PRO_MAX)
    issued = place.server.issue_tokens()
    entry = {"auth_method": "oauth", "access_token": issued.access_token, "refresh_token": issued.refresh_token}
    leave_older_store(place.workspace, {PRO_MAX: {**entry, "client_id": CLIENT_ID, "expires_at": 1.0}})
    await one_story(place, PRO_MAX)  # a run renews it, and keeps what came in our store
    before = await place.used(PRO_MAX)

    found = look_for_older(place.workspace.app())
    words = billing_words(found)
    copy(place.workspace.app(), found)
    after = await place.used(PRO_MAX)

    assert before is not None
    assert after is not None
    assert (before.place, after.place) == ("older-store", "store")
    assert any("counts as set up by you" in sentence for sentence in words)


async def test_an_entry_of_a_provider_that_nobody_describes_is_in_nobodys_way(place: Place) -> None:
    place.settings("openai")
    leave_older_store(place.workspace, {"ghost": {"auth_method": "api_key", "api_key": "sk-ghost"}})
    place.workspace.ensemble("open", {"name": "a"})

    result, _ = await run(place.workspace.app(), "open")

    assert result.by_billing.keys() == {"local"}
    status = await place.status()
    assert [(row.provider, row.is_used) for row in status.credentials] == [("ghost", False)]
    assert status.is_good
    default = await default_access(place.workspace.app())
    assert not isinstance(default, LlmOrcError)
    assert result["a"].access == default.access


async def test_a_key_that_waits_for_a_yes_is_no_default(place: Place) -> None:
    place.providers["openai-compatible"] = {"base_url": "http://127.0.0.1:9/v1"}
    place.settings("anthropic-api")
    place.workspace.environ["ANTHROPIC_API_KEY"] = "sk-merely-there"

    default = await default_access(place.workspace.app())

    assert isinstance(default, MeteredNotAllowed)


async def test_another_account_of_a_plan_does_not_step_in_by_itself(place: Place) -> None:
    place.settings(PRO_MAX)
    place.sign_in(PRO_MAX, "work")
    place.sign_in(PRO_MAX, "private", lifetime_s=-5, renewable=False)

    used, sent = await one_story(place, PRO_MAX)

    assert (used, sent) == (None, "")
    uses = {c.account: c.use for c in (await place.status(PRO_MAX)).credentials if c.place == "store"}
    assert f"llm-orc auth switch {PRO_MAX} work" in uses["work"]


async def test_what_the_configuration_calls_metered_today_is_metered_whenever_it_was_stored(place: Place) -> None:
    place.settings(MINE, billing="local")
    add_api_key(
        place.workspace.app(), open_provider(place.workspace.app(), MINE), Secret("sk-1-of-a-server-of-mine")
    )
    before, _ = await one_story(place, MINE)
    place.settings(MINE, billing="metered")
    after, _ = await one_story(place, MINE)

    assert before is not None
    assert after is not None
    assert (before.billing, after.billing) == (Billing.LOCAL, Billing.METERED)


async def test_a_locked_store_is_in_the_way_of_what_it_holds_alone(place: Place) -> None:
    place.settings("openai", auth_method="api-key")
    place.settings("anthropic-api")
    place.key("anthropic-api", "sk-locked-away")
    (place.workspace.config / "credentials.key").unlink()
    place.workspace.environ |= {"OPENAI_API_KEY": "sk-openai", "ANTHROPIC_API_KEY": "sk-merely-there"}

    explained, result, sent = await place.asked("openai")
    locked = await place.asked("anthropic-api")
    rows = {row.provider: row for row in reversed((await place.status()).credentials)}

    assert explained == result
    assert sent == "sk-openai"
    assert locked == (None, None, "")
    assert (rows["anthropic-api"].state, rows["anthropic-api"].is_used) == ("locked", False)
    assert rows["openai"].is_used


async def test_a_key_that_a_profile_names_for_a_plan_is_left_out_and_that_is_said(
    place: Place, tmp_path: Path
) -> None:
    claude = install(tmp_path / "stand-in")
    place.workspace.environ = {"PATH": claude.path, "WORK_KEY": "sk-work"}
    place.workspace.settings({"model_profiles": {"mine": {"provider": PRO_MAX, "api_key_env": "WORK_KEY"}}})
    place.workspace.ensemble("one", {"name": "a", "model_profile": "mine"})

    result, seen = await run(place.workspace.app(), "one")

    assert result.by_billing.keys() == {"subscription"}
    assert any("profile `mine` names is not used" in notice for notice in seen.plans[0].notices)
    assert "sk-work" not in str(claude.seen)


async def test_another_stored_key_that_takes_over_for_an_agent_without_a_model_is_told(place: Place) -> None:
    place.providers["openai-compatible"] = {"base_url": "http://127.0.0.1:9/v1"}
    place.settings("openai")
    place.settings("anthropic-api")
    place.key("anthropic-api", "sk-refused")
    place.refuse("anthropic-api", "sk-refused")
    place.key("openai", "sk-live")
    place.workspace.ensemble("open", {"name": "a"})

    result, seen = await run(place.workspace.app(), "open")

    assert result["a"].access is not None
    assert result["a"].access.provider == "openai"
    assert any("`anthropic-api` has refused the stored API key" in notice for notice in seen.plans[0].notices)
