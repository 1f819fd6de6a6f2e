"""What an answer of the token endpoint means that brings no token (RFC 6749 §5.2)."""

from __future__ import annotations

import json
from dataclasses import replace
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.auth.oauth.endpoint import json_object, server_error
from llm_orc.auth.oauth.token_endpoint import (
    Failure,
    TokenEndpointError,
    failure_of,
    refresh,
)
from llm_orc.auth.secret import Secret
from llm_orc.net.http import Http
from llm_orc.net.transport import Answer, TransportError, Trouble
from tests.auth.oauth.fixtures import exchange
from tests.fakes.clocks import SetTime
from tests.fakes.scripted_server import Drop, Garbage, Reply, Scripted, Silence, Step, refusal, tokens

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
