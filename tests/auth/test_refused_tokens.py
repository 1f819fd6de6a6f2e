"""What a provider's 401 does to a sign-in: one renewal, and a memory of what was refused (RFC 6750 §3.1)."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from llm_orc.auth.refusals import RefusalMemory
from llm_orc.auth.tokens.marks import lasting_secret
from llm_orc.auth.tokens.oauth import OAuthAuthoriser, Tokens
from llm_orc.errors import AccessRefused, CredentialExpired, CredentialRefused
from tests.auth.conftest import SignIn, sent_by


async def test_a_refused_token_is_renewed_whatever_its_age(sign_in: SignIn) -> None:
    sign_in.issue()
    authoriser = OAuthAuthoriser(sign_in.keeper(), "http://x")
    headers = await sent_by(authoriser)

    renewed = await authoriser.renew(CredentialRefused("expired"), headers)

    assert renewed
    assert sign_in.server.refresh_count == 1
    assert await sent_by(authoriser) != headers


async def test_many_refusals_of_one_token_are_one_exchange(sign_in: SignIn) -> None:
    sign_in.issue()
    authoriser = OAuthAuthoriser(sign_in.keeper(), "http://x")
    headers = await sent_by(authoriser)

    renewed = await asyncio.gather(*(authoriser.renew(CredentialRefused("expired"), headers) for _ in range(50)))
    late = await authoriser.renew(CredentialRefused("expired"), headers)

    assert all(renewed)
    assert late
    assert sign_in.server.refresh_count == 1


async def test_a_new_sign_in_by_another_process_is_adopted(sign_in: SignIn) -> None:
    sign_in.issue()
    authoriser = OAuthAuthoriser(sign_in.keeper(), "http://x")
    headers = await sent_by(authoriser)
    sign_in.issue()

    renewed = await authoriser.renew(CredentialRefused("revoked"), headers)

    assert renewed
    assert sign_in.server.refresh_count == 0
    assert (await sent_by(authoriser))["Authorization"] == f"Bearer {sign_in.token.access_token.reveal()}"


async def test_a_closed_way_in_is_remembered_for_the_whole_sign_in_and_not_renewed(
    sign_in: SignIn, tmp_path: Path
) -> None:
    sign_in.issue()
    refusals = RefusalMemory(tmp_path / "refusals.json", time.time)
    authoriser = OAuthAuthoriser(sign_in.keeper(), "http://x", refusals=refusals)
    refusal = AccessRefused("no", signature="claude_code_only", provider_message="only for Claude Code")
    headers = await sent_by(authoriser)

    renewed = await authoriser.renew(refusal, headers)
    await authoriser.remember(refusal, headers)

    assert not renewed
    assert sign_in.server.refresh_count == 0
    refused = refusals.find("http://x", lasting_secret(sign_in.token))
    assert refused is not None
    assert (refused.signature, refused.message) == ("claude_code_only", "only for Claude Code")


async def test_an_access_token_that_was_refused_is_renewed_before_it_is_sent_again(
    sign_in: SignIn, tmp_path: Path
) -> None:
    sign_in.issue()
    refusals = RefusalMemory(tmp_path / "refusals.json", time.time)
    refused = sign_in.token.access_token
    refusals.remember("http://x", refused, CredentialRefused("no"))

    headers = await sent_by(OAuthAuthoriser(sign_in.keeper(), "http://x", refusals=refusals))

    assert sign_in.server.refresh_count == 1
    assert refused.reveal() not in headers["Authorization"]


async def test_a_sign_in_that_the_server_has_ended_is_remembered_by_what_was_sent(
    sign_in: SignIn, tmp_path: Path
) -> None:
    sign_in.issue()
    refusals = RefusalMemory(tmp_path / "refusals.json", time.time)
    authoriser = OAuthAuthoriser(sign_in.keeper(), "http://x", refusals=refusals)
    headers = await sent_by(authoriser)
    sign_in.server.revoke_everything()

    with pytest.raises(CredentialExpired):
        await authoriser.renew(CredentialRefused("gone"), headers)

    assert refusals.find("http://x", sign_in.token.access_token) is not None


async def test_a_proof_is_kept_when_the_process_ends(sign_in: SignIn) -> None:
    sign_in.issue()
    async with Tokens(sign_in.storage, sign_in.http, time.time) as tokens:
        authoriser = OAuthAuthoriser(tokens.keeper(sign_in.entry, sign_in.client), "http://x")
        authoriser.accepted()

    assert sign_in.entry.proven_at == pytest.approx(time.time(), abs=5)
