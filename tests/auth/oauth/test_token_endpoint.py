"""The token endpoint: RFC 6749 §4.1.3, §5, §6. What each answer means for the grant that was sent."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import llm_orc
from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.auth.oauth.endpoint import json_object, server_error
from llm_orc.auth.oauth.token_endpoint import (
    Failure,
    TokenEndpointError,
    TokenResponse,
    exchange_code,
    failure_of,
    refresh,
)
from llm_orc.auth.secret import Secret
from llm_orc.errors import LoginFailed
from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings
from llm_orc.net.transport import Answer, TransportError, Trouble
from tests.fakes.clocks import SetTime
from tests.fakes.scripted_server import Drop, Garbage, Reply, Scripted, Silence, Step, refusal, tokens
from tests.net.certificates import self_signed

_REDIRECT = "http://127.0.0.1:50123/callback"


async def exchange(client: OAuthClient, http: Http, clock: SetTime | None = None) -> TokenResponse:
    return await exchange_code(
        client,
        http,
        Secret("code-canary"),
        Secret("verifier-canary"),
        _REDIRECT,
        state=Secret("state-canary"),
        clock=clock or SetTime(),
    )


async def test_the_code_goes_in_the_body_with_its_verifier_and_no_client_secret(
    server: Scripted, http: Http, client: OAuthClient
) -> None:
    server.on("/token", tokens())

    await exchange(client, http)

    (asked,) = server.asked
    assert (asked.method, asked.target) == ("POST", "/token")
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "authorization" not in asked.headers
    assert asked.form == {
        "grant_type": "authorization_code",
        "code": "code-canary",
        "redirect_uri": _REDIRECT,
        "client_id": "native-app",
        "code_verifier": "verifier-canary",
    }


async def test_a_server_that_wants_json_and_the_state_gets_both(
    server: Scripted, http: Http, client: OAuthClient
) -> None:
    server.on("/token", tokens())
    wants_json = replace(
        client,
        token_request="json",
        state_in_token_request=True,
        extra_token_params={"audience": "api", "code": "x"},
    )

    await exchange(wants_json, http)

    (asked,) = server.asked
    assert asked.headers["content-type"] == "application/json"
    assert asked.json["state"] == "state-canary"
    assert asked.json["audience"] == "api"
    assert asked.json["code"] == "code-canary"


async def test_a_refresh_asks_for_no_scope_unless_it_is_to_shrink(
    server: Scripted, http: Http, client: OAuthClient
) -> None:
    server.on("/token", tokens())

    await refresh(client, http, Secret("rt-1"))
    await refresh(client, http, Secret("rt-1"), ("chat",))

    same, smaller = server.asked
    assert same.form == {"grant_type": "refresh_token", "refresh_token": "rt-1", "client_id": "native-app"}
    assert smaller.form["scope"] == "chat"


@pytest.mark.parametrize(
    ("more", "expires_in"),
    [
        ({"expires_in": 3600}, 3600.0),
        ({"expires_in": "3600"}, 3600.0),
        ({"expires_in": 0.5}, 0.5),
        ({"expires_in": 0}, None),
        ({"expires_in": -1}, None),
        ({"expires_in": "soon"}, None),
        ({"expires_in": None}, None),
        ({"expires_in": True}, None),
        ({"expires_in": [1]}, None),
        ({"expires_in": "nan"}, None),
        ({"expires_in": "inf"}, None),
        ({"expires_in": 10**400}, None),
        ({"expires_in": 10**12}, 10 * 365 * 86_400.0),
    ],
)
async def test_an_odd_lifetime_is_an_unknown_one(
    server: Scripted, http: Http, client: OAuthClient, more: dict[str, object], expires_in: float | None
) -> None:
    server.on("/token", tokens(**more))

    assert (await exchange(client, http)).expires_in == expires_in


@pytest.mark.parametrize(
    ("more", "scopes"),
    [
        ({}, None),
        ({"scope": "chat profile"}, ("chat", "profile")),
        ({"scope": ""}, ()),
        ({"scope": ["chat"]}, ("chat",)),
        ({"scope": 7}, None),
    ],
)
async def test_the_scopes_that_were_granted_are_told(
    server: Scripted, http: Http, client: OAuthClient, more: dict[str, object], scopes: tuple[str, ...] | None
) -> None:
    server.on("/token", tokens(**more))

    assert (await exchange(client, http)).scopes == scopes


@pytest.mark.parametrize("token_type", ["Bearer", "bearer", "BEARER", "bEaReR"])
async def test_the_token_type_is_read_in_any_case(
    server: Scripted, http: Http, client: OAuthClient, token_type: str
) -> None:
    server.on("/token", tokens(token_type=token_type))

    assert (await exchange(client, http)).token_type == "Bearer"


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
@pytest.mark.parametrize(
    "token",
    ["two\nlines", "at\r\nx-evil: 1", "nul\x00", " blank", "blank ", "tab\t", "ümlaut", "\x7f", "x" * 70_000],
)
async def test_a_token_that_could_break_out_of_its_line_is_refused(
    server: Scripted, http: Http, client: OAuthClient, which: str, token: str
) -> None:
    server.on("/token", tokens(**{which: token}))

    with pytest.raises(TokenEndpointError, match="a token that can't be sent") as caught:
        await exchange(client, http)

    assert token not in str(caught.value)


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [("chat profile", ("chat", "profile")), ("chat \x1b[31m", ("chat",)), (["a", "b"], ("a", "b")), (7, None)],
)
async def test_scopes_are_those_that_can_be_some(
    server: Scripted, http: Http, client: OAuthClient, scope: object, scopes: tuple[str, ...] | None
) -> None:
    server.on("/token", tokens(scope=scope))

    assert (await exchange(client, http)).scopes == scopes


@pytest.mark.parametrize("token_type", ["mac", "DPoP", "", 7])
async def test_a_token_of_an_unknown_type_is_not_used(
    server: Scripted, http: Http, client: OAuthClient, token_type: object
) -> None:
    server.on("/token", tokens(token_type=token_type))

    with pytest.raises(TokenEndpointError) as caught:
        await exchange(client, http)

    assert caught.value.is_ambiguous
    assert "at-1" not in caught.value.message


@pytest.mark.parametrize(
    ("more", "refresh_token"), [({}, None), ({"refresh_token": "rt-2"}, "rt-2"), ({"refresh_token": ""}, None)]
)
async def test_a_refresh_token_that_is_left_out_is_none(
    server: Scripted, http: Http, client: OAuthClient, more: dict[str, object], refresh_token: str | None
) -> None:
    server.on("/token", tokens(**more))

    token = (await refresh(client, http, Secret("rt-1"))).refresh_token

    assert (token.reveal() if token else None) == refresh_token


async def test_times_are_counted_from_when_the_answer_came_and_the_servers_clock_is_noted(
    server: Scripted, http: Http, client: OAuthClient, clock: SetTime
) -> None:
    server.on("/token", replace(tokens(), headers={"date": formatdate(clock.now + 400, usegmt=True)}))

    token = await exchange(client, http, clock)

    assert token.received_at == clock.now
    assert token.date_skew_s == pytest.approx(400, abs=1)


async def test_unknown_fields_of_the_answer_are_dropped(server: Scripted, http: Http, client: OAuthClient) -> None:
    server.on("/token", tokens(id_token="id-canary", account={"email": "ada@example.com"}))

    token = await exchange(client, http)

    assert "id-canary" not in repr(token)
    assert "ada" not in repr(token)
    assert "at-1" not in repr(token)
    with pytest.raises(TypeError):
        pickle.dumps(token)


_HTML = Reply(b"<html><body>502 Bad Gateway</body></html>", content_type="text/html")
_MATRIX: list[tuple[str, Step, Failure, str]] = [
    ("invalid_grant", refusal("invalid_grant"), Failure.PERMANENT, "invalid_grant"),
    ("invalid_grant 401", refusal("invalid_grant", status=401), Failure.PERMANENT, "invalid_grant"),
    ("invalid_grant 200", refusal("invalid_grant", status=200), Failure.PERMANENT, "invalid_grant"),
    (
        "nested code",
        Reply({"error": {"code": "refresh_token_reused", "message": "used"}}, 401),
        Failure.PERMANENT,
        "refresh_token_reused",
    ),
    ("nested type", Reply({"error": {"type": "invalid_grant"}}, 400), Failure.PERMANENT, "invalid_grant"),
    ("invalid_request", refusal("invalid_request"), Failure.REJECTED, "invalid_request"),
    ("invalid_client", refusal("invalid_client", status=401), Failure.REJECTED, "invalid_client"),
    ("invalid_scope", refusal("invalid_scope"), Failure.REJECTED, "invalid_scope"),
    ("unauthorized_client", refusal("unauthorized_client"), Failure.REJECTED, "unauthorized_client"),
    ("unsupported grant", refusal("unsupported_grant_type"), Failure.REJECTED, "unsupported_grant_type"),
    ("unknown code", refusal("moon_phase", status=403), Failure.REJECTED, "moon_phase"),
    ("busy", refusal("temporarily_unavailable"), Failure.COOLDOWN, "temporarily_unavailable"),
    ("429 JSON", refusal("rate_limit_error", status=429), Failure.COOLDOWN, "rate_limit_error"),
    ("429 empty", Reply(b"", 429), Failure.COOLDOWN, ""),
    ("429 invalid_grant", refusal("invalid_grant", status=429), Failure.COOLDOWN, "invalid_grant"),
    ("500 JSON", refusal("server_error", status=500), Failure.COOLDOWN, "server_error"),
    ("500 invalid_grant", refusal("invalid_grant", status=500), Failure.COOLDOWN, "invalid_grant"),
    ("502 HTML", replace(_HTML, status=502), Failure.COOLDOWN, ""),
    ("503 text", Reply(b"busy", 503, content_type="text/plain"), Failure.COOLDOWN, ""),
    ("400 HTML", replace(_HTML, status=400), Failure.TRANSIENT, ""),
    (
        "400 JSON that says it is HTML",
        replace(refusal("invalid_grant"), content_type="text/html"),
        Failure.TRANSIENT,
        "",
    ),
    ("400 empty", Reply(b"", 400), Failure.TRANSIENT, ""),
    ("400 list", Reply([1], 400), Failure.TRANSIENT, ""),
    ("404 HTML", replace(_HTML, status=404), Failure.TRANSIENT, ""),
    ("403 text", Reply(b"no", 403, content_type="text/plain"), Failure.TRANSIENT, ""),
    ("302", Reply(b"", 302, {"location": "https://portal.example/login?x=1"}), Failure.TRANSIENT, ""),
    ("200 HTML", _HTML, Failure.AMBIGUOUS, ""),
    ("200 cut", Reply(b'{"access_token": "at', 200), Failure.AMBIGUOUS, ""),
    ("200 no token", Reply({"token_type": "Bearer"}), Failure.AMBIGUOUS, ""),
    ("200 token of another kind", Reply({"access_token": 7}), Failure.AMBIGUOUS, ""),
    ("dropped", Drop, Failure.AMBIGUOUS, ""),
    ("silent", Silence, Failure.AMBIGUOUS, ""),
    ("garbage", Garbage, Failure.AMBIGUOUS, ""),
]


@pytest.mark.parametrize(
    ("step", "failure", "error"), [row[1:] for row in _MATRIX], ids=[row[0] for row in _MATRIX]
)
async def test_each_answer_has_one_meaning(
    server: Scripted, http: Http, client: OAuthClient, step: Step, failure: Failure, error: str
) -> None:
    server.on("/token", step)

    with pytest.raises(TokenEndpointError) as caught:
        await refresh(client, http, Secret("rt-canary"))

    assert caught.value.failure is failure
    assert caught.value.error == error
    assert caught.value.was_sent
    assert len(server.asked) == 1
    assert "rt-canary" not in caught.value.message


async def test_a_server_that_can_not_be_reached_was_not_sent_anything(http: Http, client: OAuthClient) -> None:
    gone = Scripted()
    await gone.start()
    await gone.stop()

    with pytest.raises(TokenEndpointError) as caught:
        await refresh(replace(client, token_endpoint=f"{gone.url}/token"), http, Secret("rt-1"))

    assert not caught.value.was_sent
    assert caught.value.failure is Failure.TRANSIENT


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120.0), ("0", 0.0), ("999999999999", 86_400.0), ("-5", None), ("soon", None), ("", None)],
)
async def test_the_servers_wish_to_wait_is_told(
    server: Scripted, http: Http, client: OAuthClient, header: str, seconds: float | None
) -> None:
    server.on("/token", Reply(b"", 429, {"retry-after": header}))

    with pytest.raises(TokenEndpointError) as caught:
        await exchange(client, http)

    assert caught.value.is_cooldown
    assert caught.value.retry_after_s == seconds


async def test_a_date_in_retry_after_is_read_too(
    server: Scripted, http: Http, client: OAuthClient, clock: SetTime
) -> None:
    server.on("/token", Reply(b"", 503, {"retry-after": formatdate(clock.now + 90, usegmt=True)}))

    with pytest.raises(TokenEndpointError) as caught:
        await exchange(client, http, clock)

    assert caught.value.retry_after_s == pytest.approx(90, abs=1)


async def test_no_redirect_is_followed_and_its_query_is_not_shown(
    server: Scripted, http: Http, client: OAuthClient
) -> None:
    other = Scripted()
    await other.start()
    server.on("/token", Reply(b"", 307, {"location": f"{other.url}/token?code=code-canary"}))

    with pytest.raises(TokenEndpointError, match="redirect") as caught:
        await exchange(client, http)

    await other.stop()
    assert other.asked == []
    assert "code-canary" not in caught.value.message


async def test_the_challenge_method_is_never_downgraded(server: Scripted, http: Http, client: OAuthClient) -> None:
    server.on("/token", refusal("invalid_request", "transform algorithm not supported"), tokens())

    with pytest.raises(TokenEndpointError, match="transform algorithm not supported"):
        await exchange(client, http)

    assert len(server.asked) == 1


async def test_what_a_server_echoes_of_our_secrets_is_masked_and_its_words_are_cut(
    server: Scripted, http: Http, client: OAuthClient
) -> None:
    words = "bad code-canary \x1b[31m verifier-canary \n" + "x" * 5000
    server.on("/token", refusal("invalid_grant", words))

    with pytest.raises(TokenEndpointError) as caught:
        await exchange(client, http)

    assert "canary" not in caught.value.message
    assert "\x1b" not in caught.value.message
    assert len(caught.value.message) < 400


async def test_a_client_secret_of_the_settings_and_what_was_given_before_are_masked_too(
    server: Scripted, http: Http, client: OAuthClient
) -> None:
    confidential = replace(client, extra_token_params={"client_secret": "cs-Zq81-canary"})
    given = tokens(access_token="at-Zq82-canary", refresh_token="rt-Zq83-canary", id_token="id-Zq84-canary")
    words = "bad cs-Zq81-canary at-Zq82-canary rt-Zq83-canary id-Zq84-canary"
    server.on("/token", given, refusal("invalid_grant", words))

    await exchange(confidential, http)
    with pytest.raises(TokenEndpointError) as caught:
        await exchange(confidential, http)

    assert "canary" not in caught.value.message
    assert caught.value.message.count("[credential]") == 4


@pytest.mark.parametrize("url", ["http://as.example/token", "http://localhost:1/token", "ftp://as.example/t", ""])
async def test_tokens_are_asked_for_over_https_only(http: Http, client: OAuthClient, url: str) -> None:
    with pytest.raises(LoginFailed, match="token_endpoint"):
        await exchange(replace(client, token_endpoint=url), http)


async def test_certificates_are_checked_and_a_users_own_authority_may_be_added(
    tmp_path: Path, client: OAuthClient
) -> None:
    certificate, context = self_signed(tmp_path, "127.0.0.1")
    secure = Scripted()
    await secure.start(context)
    secure.on("/token", tokens())
    over_tls = replace(client, token_endpoint=f"{secure.url}/token")

    async with Http(NetworkSettings(), max_connections=2) as strict:
        with pytest.raises(TokenEndpointError) as caught:
            await refresh(over_tls, strict, Secret("rt-1"))
    asked_before = list(secure.asked)
    async with Http(NetworkSettings(ca_file=certificate), max_connections=2) as trusting:
        token = await refresh(over_tls, trusting, Secret("rt-1"))
    await secure.stop()

    assert not caught.value.was_sent
    assert asked_before == []
    assert token.access_token.reveal() == "at-1"


def test_the_package_has_no_word_for_a_client_secret_or_the_other_grants() -> None:
    package = Path(llm_orc.__file__).parent / "auth"

    sources = "".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))

    assert "client_secret" not in sources
    assert '"password"' not in sources
    assert "response_type=token" not in sources


@given(
    st.integers(200, 599),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["error", "code", "type", "message", "error_description", "x"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    ),
    st.sampled_from(["application/json", "text/html", "text/plain", ""]),
)
def test_any_json_at_any_status_is_classified(status: int, value: object, content_type: str) -> None:
    answer = Answer(status, {"content-type": content_type}, json.dumps(value).encode())

    error = failure_of(answer, {"code": Secret("code-canary")}, provider="acme", now=0.0)

    assert error.failure in Failure
    assert error.is_permanent <= (status < 500 and status != 429)
    assert error.message.isprintable()


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_harm(body: bytes) -> None:
    value = json_object(Answer(400, {}, body))

    assert value is None or isinstance(value, dict)
    server_error(value, {})


def test_json_nested_beyond_all_measure_is_no_json() -> None:
    assert json_object(Answer(200, {}, b'{"a":' * 100_000)) is None


class _Unsendable:
    """A transport that can't put the address on the wire."""

    def check(self, url: str) -> None:
        return

    async def send(self, *args: object, **kwargs: object) -> Answer:
        raise TransportError(Trouble.INVALID, "its address can't be sent: rt-canary")


async def test_a_reason_of_the_transport_is_searched_for_secrets_too(client: OAuthClient) -> None:
    with pytest.raises(TokenEndpointError) as caught:
        await refresh(client, _Unsendable(), Secret("rt-canary"))

    assert "canary" not in caught.value.message
    assert not caught.value.was_sent
