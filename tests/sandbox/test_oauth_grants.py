"""Families of tokens, whatever a client does with what it was given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.sandbox.oauth.grants import Grants, OAuthProblem

STEPS = st.lists(st.tuples(st.sampled_from(["refresh", "revoke", "begin"]), st.integers(0, 30)), max_size=40)


def fresh_grants() -> Grants:
    return Grants(
        access_token_lifetime_s=60,
        code_lifetime_s=60,
        rotates=True,
        detects_reuse=True,
        reuse_grace_s=0,
        omits_refresh_token=False,
        clock=lambda: 0.0,
    )


@given(STEPS)
def test_a_family_lives_as_long_as_each_of_its_refresh_tokens_was_used_once_and_none_revoked(
    steps: list[tuple[str, int]],
) -> None:
    grants = fresh_grants()
    first = grants.new_family("client", ("inference",))
    given_out = [(first.refresh_token or "", first.family)]
    access = [(first.access_token, first.family)]
    dead: set[int] = set()
    spent: set[str] = set()

    for what, which in steps:
        refresh_token, family = given_out[which % len(given_out)]
        if what == "begin":
            issued = grants.new_family("client", ("inference",))
        elif what == "revoke":
            assert grants.revoke(refresh_token) is (family not in dead)
            dead.add(family)
            continue
        elif family in dead or refresh_token in spent:
            with pytest.raises(OAuthProblem, match="invalid_grant"):
                grants.refresh(refresh_token, "client")
            dead.add(family)
            continue
        else:
            issued = grants.refresh(refresh_token, "client")
            spent.add(refresh_token)
            assert issued.family == family
        given_out.append((issued.refresh_token or "", issued.family))
        access.append((issued.access_token, issued.family))

    families = {family for _, family in given_out}
    assert grants.families_alive == len(families - dead)
    assert all((grants.state_of(token) == "revoked") is (family in dead) for token, family in access)
    assert {event.family for event in grants.reuse_events} <= dead
    assert grants.tokens_issued == len(access) == len({token for token, _ in access})
