"""The authorisation request and its response: RFC 6749 §4.1, RFC 9207, RFC 9700 §4.4."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.auth.oauth.authorize import AuthorizationAttempt, NotOurs
from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.auth.oauth.pkce import challenge_of
from llm_orc.errors import LoginFailed

_CLIENT = OAuthClient(
    provider="acme",
    client_id="native-app",
    authorization_endpoint="https://as.example/authorize",
    scopes=("chat", "profile"),
)
_REDIRECT = "http://127.0.0.1:50123/callback"


def attempt_at(client: OAuthClient = _CLIENT) -> AuthorizationAttempt:
    return AuthorizationAttempt(client, _REDIRECT)


def asked_by(attempt: AuthorizationAttempt) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(attempt.url).query))


def state_of(attempt: AuthorizationAttempt) -> str:
    return asked_by(attempt)["state"]


def test_the_request_has_what_the_standards_ask_and_no_secret() -> None:
    attempt = attempt_at()

    asked = asked_by(attempt)

    assert attempt.url.startswith("https://as.example/authorize?")
    assert set(asked) == {
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "code_challenge",
        "code_challenge_method",
    }
    assert asked["response_type"] == "code"
    assert asked["client_id"] == "native-app"
    assert asked["redirect_uri"] == _REDIRECT
    assert asked["scope"] == "chat profile"
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) == 43


def test_the_verifier_that_comes_back_belongs_to_the_challenge_that_went_out() -> None:
    attempt = attempt_at()

    code = attempt.accept_query(urlencode({"code": "c-1", "state": state_of(attempt)}))

    assert challenge_of(code.verifier.reveal()) == asked_by(attempt)["code_challenge"]
    assert code.verifier.reveal() not in attempt.url
    assert (code.code.reveal(), code.redirect_uri) == ("c-1", _REDIRECT)


def test_two_attempts_share_neither_state_nor_challenge() -> None:
    one, other = asked_by(attempt_at()), asked_by(attempt_at())

    assert one["state"] != other["state"]
    assert one["code_challenge"] != other["code_challenge"]


def test_extra_parameters_are_added_but_replace_nothing() -> None:
    client = replace(
        _CLIENT, extra_authorize_params={"prompt": "consent", "state": "fixed", "response_type": "token"}
    )

    asked = asked_by(attempt_at(client))

    assert asked["prompt"] == "consent"
    assert asked["response_type"] == "code"
    assert asked["state"] != "fixed"


def test_an_endpoint_keeps_the_query_that_it_has() -> None:
    client = replace(_CLIENT, authorization_endpoint="https://as.example/authorize?tenant=7")

    assert asked_by(attempt_at(client))["tenant"] == "7"


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("http://as.example/authorize", "https"),
        ("http://localhost/authorize", "https"),
        ("file:///etc/passwd", "https"),
        ("javascript:alert(1)", "https"),
        ("https://me:secret@as.example/authorize", "user name"),
        ("https://as.example/authorize#x", "#"),
        ("https://as.example/auth orize", "characters"),
        (None, "no `authorization_endpoint`"),
    ],
)
def test_no_browser_is_sent_where_https_does_not_hold(endpoint: str | None, words: str) -> None:
    with pytest.raises(LoginFailed, match=words) as caught:
        attempt_at(replace(_CLIENT, authorization_endpoint=endpoint))

    assert "secret" not in caught.value.message


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:4715/authorize", "http://[::1]:4715/authorize"])
def test_a_server_on_this_machine_may_speak_plain_http(endpoint: str) -> None:
    assert attempt_at(replace(_CLIENT, authorization_endpoint=endpoint)).url.startswith(endpoint)


def test_without_a_client_id_it_says_where_to_set_one() -> None:
    with pytest.raises(LoginFailed) as caught:
        attempt_at(replace(_CLIENT, client_id=None))

    assert "providers.acme.oauth.client_id" in str(caught.value.hint)


@pytest.mark.parametrize("query", ["code=c-1", "code=c-1&state=", "error=access_denied", ""])
def test_a_response_without_state_is_not_ours(query: str) -> None:
    with pytest.raises(NotOurs) as caught:
        attempt_at().accept_query(query)

    assert caught.value.error == "state_mismatch"


def test_a_response_with_the_state_of_another_attempt_is_not_ours() -> None:
    mine, other = attempt_at(), attempt_at()

    with pytest.raises(NotOurs):
        mine.accept_query(urlencode({"code": "c-1", "state": state_of(other)}))

    code = mine.accept_query(urlencode({"code": "c-2", "state": state_of(mine)}))
    assert code.code.reveal() == "c-2"


def test_a_state_is_good_for_one_response() -> None:
    attempt = attempt_at()
    query = urlencode({"code": "c-1", "state": state_of(attempt)})
    attempt.accept_query(query)

    with pytest.raises(NotOurs) as caught:
        attempt.accept_query(query)

    assert caught.value.error == "state_reused"


def test_a_repeated_parameter_counts_as_missing() -> None:
    attempt = attempt_at()
    state = state_of(attempt)

    with pytest.raises(NotOurs):
        attempt.accept_query(f"code=c-1&state={state}&state=forged")


@pytest.mark.parametrize(
    "error", ["access_denied", "server_error", "temporarily_unavailable", "invalid_scope", "unauthorized_client"]
)
def test_the_servers_refusal_keeps_its_error_code(error: str) -> None:
    attempt = attempt_at()

    with pytest.raises(LoginFailed) as caught:
        attempt.accept_query(urlencode({"error": error, "state": state_of(attempt)}))

    assert not isinstance(caught.value, NotOurs)
    assert caught.value.error == error
    assert "`acme`" in caught.value.message


def test_the_servers_words_are_cut_short_and_lose_control_characters_and_our_state() -> None:
    attempt = attempt_at()
    words = f"\x1b[2Jsee {state_of(attempt)}\r\n" + "very " * 500

    with pytest.raises(LoginFailed) as caught:
        attempt.accept_query(
            urlencode({"error": "access_denied", "error_description": words, "state": state_of(attempt)})
        )

    assert "\x1b" not in caught.value.message
    assert "\n" not in caught.value.message
    assert state_of(attempt) not in caught.value.message
    assert len(caught.value.message) < 400


def test_a_response_with_neither_code_nor_error_is_an_error() -> None:
    attempt = attempt_at()

    with pytest.raises(LoginFailed) as caught:
        attempt.accept_query(f"state={state_of(attempt)}")

    assert caught.value.error == "no_code"


_ISSUER = "https://as.example"


@pytest.mark.parametrize(
    ("iss", "requires_iss", "error"),
    [
        (_ISSUER, True, None),
        (_ISSUER, False, None),
        ("https://evil.example", True, "iss_mismatch"),
        ("https://evil.example", False, "iss_mismatch"),
        (f"{_ISSUER}/", False, "iss_mismatch"),
        ("HTTPS://as.example", False, "iss_mismatch"),
        (None, True, "iss_missing"),
        (None, False, None),
    ],
)
def test_the_issuer_is_compared_exactly(iss: str | None, requires_iss: bool, error: str | None) -> None:
    attempt = attempt_at(replace(_CLIENT, issuer=_ISSUER, requires_iss=requires_iss))
    query = urlencode({"code": "c-1", "state": state_of(attempt), **({"iss": iss} if iss else {})})

    if error is None:
        assert attempt.accept_query(query).code.reveal() == "c-1"
        return
    with pytest.raises(LoginFailed) as caught:
        attempt.accept_query(query)

    assert caught.value.error == error


def test_a_refusal_in_the_name_of_another_server_is_a_mix_up() -> None:
    attempt = attempt_at(replace(_CLIENT, issuer=_ISSUER))
    query = urlencode({"error": "access_denied", "state": state_of(attempt), "iss": "https://b.example"})

    with pytest.raises(LoginFailed) as caught:
        attempt.accept_query(query)

    assert caught.value.error == "iss_mismatch"


@pytest.mark.parametrize(
    "form",
    [
        "{code}#{state}",
        "  {code}#{state}\n",
        "{code}",
        "http://127.0.0.1:50123/callback?code={code}&state={state}",
        "https://console.example/oauth/callback?state={state}&code={code}",
        "code={code}&state={state}",
        "?code={code}&state={state}",
        "{code}#{state:.20}\n{state_end}",
    ],
)
def test_what_people_paste_is_understood(form: str) -> None:
    attempt = attempt_at()
    state = state_of(attempt)

    code = attempt.accept_pasted(form.format(code="c-1", state=state, state_end=state[20:]))

    assert code.code.reveal() == "c-1"
    assert code.state.reveal() == state


@pytest.mark.parametrize(
    "text",
    ["", "   ", "c-1#", "c-1#forged", "https://as.example/callback?code=c-1", "http://[::1/", "x" * 9000],
)
def test_a_paste_without_our_state_is_not_ours(text: str) -> None:
    with pytest.raises(NotOurs):
        attempt_at().accept_pasted(text)


def test_a_code_alone_does_not_do_where_the_server_promised_its_name() -> None:
    attempt = attempt_at(replace(_CLIENT, issuer=_ISSUER, requires_iss=True))

    with pytest.raises(LoginFailed) as caught:
        attempt.accept_pasted("c-1")

    assert "whole address" in str(caught.value.hint)


@given(st.text(max_size=300))
def test_no_query_without_the_state_is_ever_accepted(query: str) -> None:
    with pytest.raises(NotOurs):
        attempt_at().accept_query(query)


@given(st.text(max_size=300))
def test_whatever_is_pasted_ends_in_a_code_or_a_known_error(text: str) -> None:
    try:
        outcome = attempt_at().accept_pasted(text).code.reveal()
    except LoginFailed as e:
        outcome = e.error

    assert outcome


def test_no_repr_shows_a_code_state_or_verifier() -> None:
    attempt = attempt_at()
    state = state_of(attempt)

    code = attempt.accept_query(urlencode({"code": "secret-code", "state": state}))

    assert "secret-code" not in repr(code)
    assert state not in repr(code)
    assert code.verifier.reveal() not in repr(code)
