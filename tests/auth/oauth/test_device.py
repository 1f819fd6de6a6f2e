"""Device authorisation: RFC 8628, with a clock that only moves when somebody sleeps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.auth.oauth.device import DeviceCode, poll_for_token, request_device_code
from llm_orc.auth.oauth.token_endpoint import TokenEndpointError, TokenResponse
from llm_orc.errors import LoginFailed
from llm_orc.net.http import Http
from tests.fakes.clocks import SetTime
from tests.fakes.scripted_server import Drop, Reply, Scripted, Step, refusal, tokens

_PENDING = refusal("authorization_pending")
_SLOW_DOWN = refusal("slow_down")


def device(**more: object) -> Reply:
    body = {
        "device_code": "device-canary",
        "user_code": "WDJB-MJHT",
        "verification_uri": "https://as.example/device",
        "verification_uri_complete": "https://as.example/device?user_code=WDJB-MJHT",
        "expires_in": 900,
        "interval": 5,
        **more,
    }
    return Reply({name: value for name, value in body.items() if value is not None})


async def begin(server: Scripted, http: Http, client: OAuthClient, clock: SetTime, reply: Reply) -> DeviceCode:
    server.on("/device", reply)
    return await request_device_code(client, http, clock=clock)


async def sign_in(
    server: Scripted, http: Http, client: OAuthClient, clock: SetTime, *steps: Step, **more: object
) -> TokenResponse:
    code = await begin(server, http, client, clock, device(**more))
    server.on("/token", *steps)
    return await poll_for_token(client, http, code, clock=clock, sleep=clock.sleep)


async def test_the_code_is_asked_for_with_client_and_scopes(
    server: Scripted, http: Http, client: OAuthClient, clock: SetTime
) -> None:
    code = await begin(server, http, client, clock, device())

    (asked,) = server.asked
    assert asked.form == {"client_id": "native-app", "scope": "chat profile"}
    assert code.user_code == "WDJB-MJHT"
    assert code.verification_uri == "https://as.example/device"
    assert code.expires_at == clock.now + 900
    assert "device-canary" not in repr(code)


async def test_a_token_comes_once_the_person_has_agreed(
    server: Scripted, http: Http, client: OAuthClient, clock: SetTime
) -> None:
    token = await sign_in(server, http, client, clock, _PENDING, _PENDING, tokens(refresh_token="rt-1"))

    assert token.access_token.reveal() == "at-1"
    assert clock.naps == [5, 5, 5]
    assert server.to("/token")[0].form == {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": "device-canary",
        "client_id": "native-app",
    }


async def test_the_interval_is_five_seconds_where_none_is_named(
    server: Scripted, http: Http, client: OAuthClient, clock: SetTime
) -> None:
    await sign_in(server, http, client, clock, _PENDING, tokens(), interval=None)

    assert clock.naps == [5, 5]


async def test_slow_down_adds_five_seconds_for_good(
    server: Scripted, http: Http, client: OAuthClient, clock: SetTime
) -> None:
    await sign_in(server, http, client, clock, _SLOW_DOWN, _PENDING, _SLOW_DOWN, _PENDING, tokens(), interval=2)

    assert clock.naps == [2, 7, 7, 12, 12]


async def test_a_lost_connection_doubles_the_interval(
    server: Scripted, http: Http, client: OAuthClient, clock: SetTime
) -> None:
    await sign_in(server, http, client, clock, Drop, Drop, _PENDING, tokens())

    assert clock.naps == [5, 10, 20, 20]


async def test_a_busy_server_is_left_alone_as_long_as_it_asks(
    server: Scripted, http: Http, client: OAuthClient, clock: SetTime
) -> None:
    busy = Reply(b"<html>", 503, {"retry-after": "60"}, "text/html")

    await sign_in(server, http, client, clock, busy, tokens())

    assert clock.naps == [5, 60]


async def test_it_stops_when_the_code_runs_out(
    server: Scripted, http: Http, client: OAuthClient, clock: SetTime
) -> None:
    began_at = clock.now

    with pytest.raises(LoginFailed) as caught:
        await sign_in(server, http, client, clock, _PENDING, expires_in=22)

    assert caught.value.error == "expired_token"
    assert clock.now - began_at <= 22
    assert len(server.to("/token")) == 4


@pytest.mark.parametrize("error", ["access_denied", "expired_token"])
async def test_a_decision_ends_it(
    server: Scripted, http: Http, client: OAuthClient, clock: SetTime, error: str
) -> None:
    with pytest.raises(LoginFailed) as caught:
        await sign_in(server, http, client, clock, _PENDING, refusal(error), tokens())

    assert caught.value.error == error
    assert len(server.to("/token")) == 2


@pytest.mark.parametrize("error", ["invalid_grant", "invalid_client", "unsupported_grant_type"])
async def test_an_error_that_asking_again_can_not_mend_ends_it(
    server: Scripted, http: Http, client: OAuthClient, clock: SetTime, error: str
) -> None:
    with pytest.raises(TokenEndpointError) as caught:
        await sign_in(server, http, client, clock, refusal(error), tokens())

    assert caught.value.error == error


@pytest.mark.parametrize(
    "uri", ["http://as.example/device", "http://localhost/device", "javascript:alert(1)", None, 7, "https://a b"]
)
async def test_a_page_that_is_not_https_is_not_shown(
    server: Scripted, http: Http, client: OAuthClient, clock: SetTime, uri: object
) -> None:
    with pytest.raises(LoginFailed, match="verification_uri"):
        await begin(server, http, client, clock, device(verification_uri=uri))


async def test_a_complete_address_that_is_not_https_is_left_out(
    server: Scripted, http: Http, client: OAuthClient, clock: SetTime
) -> None:
    reply = device(verification_uri_complete="http://as.example/device?user_code=X")

    code = await begin(server, http, client, clock, reply)

    assert code.verification_uri_complete is None


@pytest.mark.parametrize("user_code", [None, "", "A\x1b[2JB", "A" * 65, 7, "é"])
async def test_a_code_that_can_not_be_shown_is_refused(
    server: Scripted, http: Http, client: OAuthClient, clock: SetTime, user_code: object
) -> None:
    with pytest.raises(LoginFailed, match="user_code"):
        await begin(server, http, client, clock, device(user_code=user_code))


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [("7", 7), (0, 5), (-3, 5), ("soon", 5), (True, 5), (10**9, 120), (0.25, 1), (0.0001, 1)],
)
async def test_an_odd_interval_becomes_a_sensible_one(
    server: Scripted, http: Http, client: OAuthClient, clock: SetTime, interval: object, seconds: float
) -> None:
    assert (await begin(server, http, client, clock, device(interval=interval))).interval_s == seconds


@pytest.mark.parametrize(
    "reply", [refusal("invalid_client", status=401), Reply(status=404), Reply(b"<html>", 200, {}, "text/html")]
)
async def test_a_server_that_gives_no_code_is_an_error(
    server: Scripted, http: Http, client: OAuthClient, clock: SetTime, reply: Reply
) -> None:
    with pytest.raises(TokenEndpointError):
        await begin(server, http, client, clock, reply)


async def test_an_unreachable_server_is_told(http: Http, client: OAuthClient, clock: SetTime) -> None:
    gone = Scripted()
    await gone.start()
    await gone.stop()

    with pytest.raises(LoginFailed) as caught:
        await request_device_code(
            replace(client, device_authorization_endpoint=f"{gone.url}/device"), http, clock=clock
        )

    assert caught.value.error == "unreachable"
