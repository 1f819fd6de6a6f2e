"""How a credential stands, by what is kept of it: what a run may send, why not, and what to do next."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llm_orc.auth.access import Billing
from llm_orc.auth.credential import ApiKey, Credential, Entry, NeedsLogin, OAuthToken, Refused
from llm_orc.auth.refusals import REFUSED_KEY, RefusalMemory
from llm_orc.auth.secret import Secret
from llm_orc.auth.standing import Standing, key_standing, sign_in_again, standing_of, why_no_renewal
from llm_orc.auth.tokens.marks import hash_of
from llm_orc.errors import AccessRefused, CredentialExpired, CredentialRefused

NOW = 1_000_000.0
ORIGIN = "https://api.example.com"
KEY, ACCESS_TOKEN, REFRESH_TOKEN = Secret("sk-key"), Secret("access"), Secret("refresh")
LIVE = OAuthToken(ACCESS_TOKEN, REFRESH_TOKEN, expires_at=NOW + 3600, issued_at=NOW)
OVER = replace(LIVE, expires_at=NOW - 1, issued_at=NOW - 3600)


@pytest.fixture
def refusals(tmp_path: Path) -> RefusalMemory:
    return RefusalMemory(tmp_path / "refusals.json", lambda: NOW)


def entry(credential: Credential, account: str = "default", **more: Any) -> Entry:
    return replace(Entry("acme", account, credential, Billing.METERED), **more)


def mark(secret: Secret, signature: str, message: str = "not from here") -> Refused:
    return Refused(hash_of(secret), signature, message, NOW)


def stands(held: Entry, refusals: RefusalMemory, no_renewal: str | None = None) -> Standing:
    return standing_of(held, NOW, ORIGIN, refusals, no_renewal)


@pytest.mark.parametrize("credential", [ApiKey(KEY), LIVE, replace(LIVE, expires_at=None, issued_at=None)])
def test_what_was_proven_is_verified_and_the_rest_can_be_tried(
    credential: Credential, refusals: RefusalMemory
) -> None:
    tried = stands(entry(credential, proven_at=NOW - 5), refusals)
    untried = stands(entry(credential), refusals)

    assert (tried.name, tried.why, tried.hint, tried.is_usable) == (
        "verified",
        "the provider accepted it",
        None,
        True,
    )
    assert (untried.name, untried.is_usable) == ("unverified", True)
    assert "llm-orc auth test acme" in (untried.hint or "")


def test_a_key_that_its_server_refused_is_not_sent_and_another_is(refusals: RefusalMemory) -> None:
    refusals.remember(ORIGIN, KEY, CredentialRefused("no", provider_message="bad key"))

    refused = stands(entry(ApiKey(KEY), "work", proven_at=NOW), refusals)

    assert (refused.name, refused.is_usable) == ("refused", False)
    assert refused.why == "the provider has refused it: bad key"
    assert isinstance(refused.problem, CredentialRefused)
    assert "(account `work`): bad key" in refused.problem.message
    assert "llm-orc auth add acme --method api-key --account work" in (refused.hint or "")
    assert stands(entry(ApiKey(Secret("another"))), refusals).is_usable
    assert standing_of(entry(ApiKey(KEY)), NOW, "https://elsewhere.example.com", refusals, None).is_usable


def test_a_mark_in_an_entry_holds_for_its_credential_alone(refusals: RefusalMemory) -> None:
    marked = entry(ApiKey(KEY), refused=mark(KEY, REFUSED_KEY))

    assert stands(marked, refusals).name == "refused"
    assert stands(replace(marked, credential=ApiKey(Secret("newer"))), refusals).name == "unverified"


def test_a_refusal_without_words_is_told_by_its_name(refusals: RefusalMemory) -> None:
    assert stands(entry(ApiKey(KEY), refused=mark(KEY, "org_not_allowed", "")), refusals).why.endswith(
        ": org_not_allowed"
    )


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        (REFUSED_KEY, "Sign in again: `llm-orc auth add acme`;"),
        ("claude_code_only", "who pays: `llm-orc auth status acme`;"),
    ],
)
def test_a_refused_sign_in_says_what_is_left(signature: str, words: str, refusals: RefusalMemory) -> None:
    refused = stands(entry(LIVE, refused=mark(REFRESH_TOKEN, signature)), refusals)

    assert refused.name == "refused"
    assert isinstance(refused.problem, AccessRefused)
    assert refused.problem.signature == signature
    assert words in (refused.hint or "")


def test_an_access_token_that_was_refused_is_renewed_where_that_can_be(refusals: RefusalMemory) -> None:
    refusals.remember(ORIGIN, ACCESS_TOKEN, CredentialRefused("no", provider_message="revoked"))

    renewable = stands(entry(LIVE), refusals)
    final = stands(entry(LIVE), refusals, "it came without a refresh token")

    assert (renewable.name, renewable.is_usable) == ("lapsed", True)
    assert "access token" in renewable.why
    assert (final.name, final.is_usable) == ("expired", False)


def test_a_refused_token_that_nothing_can_renew_has_expired(refusals: RefusalMemory) -> None:
    alone = replace(LIVE, refresh_token=None)

    standing = stands(entry(alone, refused=mark(ACCESS_TOKEN, REFUSED_KEY)), refusals, "it came alone")

    assert standing.name == "expired"


def test_a_token_that_has_ended_lapses_or_expires(refusals: RefusalMemory) -> None:
    lapsed = stands(entry(OVER), refusals)
    expired = stands(entry(OVER, "work"), refusals, "the server has ended the sign-in")

    assert (lapsed.name, lapsed.is_usable, lapsed.problem) == ("lapsed", True, None)
    assert lapsed.why.endswith("; the next call refreshes it automatically")
    assert isinstance(expired.problem, CredentialExpired)
    assert (expired.name, expired.hint) == ("expired", "llm-orc auth add acme --account work")
    assert "the server has ended the sign-in" in expired.problem.message


def test_a_live_token_that_can_not_be_renewed_says_so_in_time(refusals: RefusalMemory) -> None:
    held = entry(LIVE, proven_at=NOW)

    standing = stands(held, refusals, "it came without a refresh token")

    assert (standing.name, standing.is_usable, standing.hint) == ("verified", True, "llm-orc auth add acme")
    assert standing.why.endswith("it came without a refresh token")
    assert stands(replace(held, source="ant-profile"), refusals, "x").why == "the provider accepted it"
    assert stands(replace(held, credential=replace(LIVE, expires_at=None)), refusals, "x").hint is None


def test_the_sign_in_of_another_tool_is_renewed_by_that_tool(refusals: RefusalMemory) -> None:
    held = entry(OVER, source="ant-profile")

    standing = stands(held, refusals, "its own tool renews it")

    assert (standing.name, standing.hint) == ("expired", "ant auth login")
    assert isinstance(standing.problem, CredentialExpired)
    assert sign_in_again(held) == "ant auth login"


def test_a_key_that_is_read_where_it_stands_is_never_called_verified(refusals: RefusalMemory) -> None:
    def standing() -> Standing:
        return key_standing(KEY, ORIGIN, refusals, "environment variable ACME_KEY", "acme")

    before = standing()
    refusals.remember(ORIGIN, KEY, CredentialRefused("no", provider_message="bad key"))
    after = standing()

    assert (before.name, before.is_usable) == ("unverified", True)
    assert (after.name, after.is_usable) == ("refused", False)
    assert isinstance(after.problem, CredentialRefused)
    assert "of the environment variable ACME_KEY: bad key" in after.problem.message


ENDED = NeedsLogin(hash_of(REFRESH_TOKEN), "invalid_grant", NOW)


@pytest.mark.parametrize(
    ("held", "client_id", "has_endpoint", "why"),
    [
        (entry(ApiKey(KEY)), None, False, None),
        (entry(replace(LIVE, refresh_token=None)), "c", True, "without a refresh token"),
        (entry(LIVE, needs_login=ENDED), "c", True, "the server has ended the sign-in"),
        (entry(replace(LIVE, refresh_token=Secret("newer")), needs_login=ENDED), "c", True, None),
        (entry(LIVE), "c", False, "does not say where"),
        (entry(LIVE), None, True, "`providers.acme.oauth.client_id` has none"),
        (entry(replace(LIVE, client_id="its own")), None, True, None),
        (entry(LIVE), "c", True, None),
    ],
)
def test_why_a_sign_in_can_not_be_renewed_here(
    held: Entry, client_id: str | None, has_endpoint: bool, why: str | None
) -> None:
    said = why_no_renewal(held, client_id, has_endpoint=has_endpoint)

    assert (said is None) == (why is None)
    assert (why or "") in (said or "")
