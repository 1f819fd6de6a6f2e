"""The life of tokens at the sandbox's authorisation server: renewed, spent, revoked, ended."""

from __future__ import annotations

import pytest

from llm_orc.sandbox.oauth.clients import CLIENT_ID, Client
from tests.fakes.clocks import SetTime
from tests.sandbox.oauth_calls import (
    ask,
    refresh,
    serving,
    signed_in,
)


async def test_a_refresh_rotates_and_keeps_the_scope() -> None:
    async with serving() as oauth:
        tokens = await signed_in(oauth)
        said = await refresh(oauth, tokens["refresh_token"])

        assert said.json["refresh_token"] != tokens["refresh_token"]
        assert said.json["scope"] == "inference"
        assert oauth.token_state(said.json["access_token"]) == "live"
    assert (oauth.tokens_issued, oauth.families_alive) == (2, 1)


async def test_a_spent_refresh_token_ends_its_family_and_no_other() -> None:
    async with serving() as oauth:
        mine, theirs = await signed_in(oauth), await signed_in(oauth)
        rotated = await refresh(oauth, mine["refresh_token"])
        again = await refresh(oauth, mine["refresh_token"])
        newest = await refresh(oauth, rotated.json["refresh_token"])

        assert (again.status, again.json["error"]) == (400, "invalid_grant")
        assert newest.json == {"error": "invalid_grant", "error_description": "the refresh token was revoked"}
        assert oauth.token_state(rotated.json["access_token"]) == "revoked"
        assert oauth.token_state(theirs["access_token"]) == "live"
    assert [event.family for event in oauth.reuse_events] == [1]
    assert oauth.families_alive == 1


async def test_without_reuse_detection_a_spent_token_is_only_refused() -> None:
    async with serving(detects_reuse=False) as oauth:
        tokens = await signed_in(oauth)
        rotated = await refresh(oauth, tokens["refresh_token"])
        again = await refresh(oauth, tokens["refresh_token"])
        newest = await refresh(oauth, rotated.json["refresh_token"])

    assert again.json["error"] == "invalid_grant"
    assert newest.status == 200
    assert oauth.reuse_events == []


async def test_within_its_grace_a_spent_token_gets_tokens_again() -> None:
    clock = SetTime()
    async with serving(reuse_grace_s=30, clock=clock) as oauth:
        tokens = await signed_in(oauth)
        await refresh(oauth, tokens["refresh_token"])
        clock.now += 29
        within = await refresh(oauth, tokens["refresh_token"])
        clock.now += 2
        after = await refresh(oauth, tokens["refresh_token"])

    assert within.status == 200
    assert after.json["error"] == "invalid_grant"
    assert len(oauth.reuse_events) == 1


async def test_without_rotation_the_same_refresh_token_comes_back() -> None:
    async with serving(rotates=False) as oauth:
        tokens = await signed_in(oauth)
        first = await refresh(oauth, tokens["refresh_token"])
        second = await refresh(oauth, tokens["refresh_token"])

    assert first.json["refresh_token"] == second.json["refresh_token"] == tokens["refresh_token"]


async def test_a_refresh_may_leave_the_refresh_token_out_and_it_stays_good() -> None:
    async with serving(omits_refresh_token_on_refresh=True) as oauth:
        tokens = await signed_in(oauth)
        first = await refresh(oauth, tokens["refresh_token"])
        second = await refresh(oauth, tokens["refresh_token"])

    assert "refresh_token" in tokens
    assert "refresh_token" not in first.json
    assert second.status == 200


async def test_a_refresh_may_narrow_the_scope_and_not_widen_it() -> None:
    async with serving() as oauth:
        issued = oauth.issue_tokens()
        narrow = oauth.issue_tokens(scopes=["profile"])
        assert issued.refresh_token
        assert narrow.refresh_token
        narrowed = await refresh(oauth, issued.refresh_token, scope="profile")
        widened = await refresh(oauth, narrow.refresh_token, scope="profile inference")

        assert oauth.scopes_of(narrowed.json["access_token"]) == ("profile",)
    assert issued.scopes == ("inference", "profile")
    assert widened.json["error"] == "invalid_scope"


async def test_a_refresh_token_belongs_to_its_client() -> None:
    async with serving(clients=[Client(), Client("other")]) as oauth:
        tokens = await signed_in(oauth)
        said = await refresh(oauth, tokens["refresh_token"], client_id="other")

    assert said.json["error_description"] == "the refresh token belongs to another client"


@pytest.mark.parametrize(("lifetime_s", "written"), [(0.25, 0.25), (2, 2), (60.0, 60)])
async def test_access_tokens_live_as_long_as_told(lifetime_s: float, written: float) -> None:
    clock = SetTime()
    async with serving(access_token_lifetime_s=lifetime_s, clock=clock) as oauth:
        tokens = await signed_in(oauth)
        before = oauth.token_state(tokens["access_token"])
        clock.now += lifetime_s

        assert tokens["expires_in"] == written
        assert (before, oauth.token_state(tokens["access_token"])) == ("live", "expired")
    assert oauth.token_state("sandbox-at-guessed") == "unknown"


async def test_tokens_can_be_ended_from_outside() -> None:
    async with serving() as oauth:
        first, second = oauth.issue_tokens(), oauth.issue_tokens()
        oauth.expire_access_tokens()
        states = [oauth.token_state(first.access_token)]
        oauth.set_access_token_lifetime(5)
        assert first.refresh_token
        renewed = await refresh(oauth, first.refresh_token)
        oauth.revoke_everything()
        states.append(oauth.token_state(renewed.json["access_token"]))
        assert second.refresh_token
        refused = await refresh(oauth, second.refresh_token)

    assert states == ["expired", "revoked"]
    assert renewed.json["expires_in"] == 5
    assert refused.json["error"] == "invalid_grant"


async def test_revoking_a_refresh_token_ends_its_family_and_an_access_token_only_itself() -> None:
    async with serving() as oauth:
        one, other = await signed_in(oauth), await signed_in(oauth)
        family = await ask(
            "POST",
            oauth.revocation_endpoint,
            data={"client_id": CLIENT_ID, "token": one["refresh_token"], "token_type_hint": "refresh_token"},
        )
        access = await ask(
            "POST", oauth.revocation_endpoint, data={"client_id": CLIENT_ID, "token": other["access_token"]}
        )

        states = [oauth.token_state(tokens["access_token"]) for tokens in (one, other)]
        still = await refresh(oauth, other["refresh_token"])
    assert (family.status, family.body, access.status) == (200, "", 200)
    assert states == ["revoked", "revoked"]
    assert still.status == 200
    assert [request.was_ours for request in oauth.record.revocation_requests] == [True, True]
    assert oauth.record.revocation_requests[0].token_type_hint == "refresh_token"


async def test_revoking_what_is_unknown_is_answered_the_same() -> None:
    async with serving() as oauth:
        unknown = await ask("POST", oauth.revocation_endpoint, data={"client_id": CLIENT_ID, "token": "guessed"})
        nobody = await ask("POST", oauth.revocation_endpoint, data={"token": "guessed"})

    assert (unknown.status, unknown.body) == (200, "")
    assert (nobody.status, nobody.json["error"]) == (400, "invalid_request")
    assert [request.was_ours for request in oauth.record.revocation_requests] == [False]
