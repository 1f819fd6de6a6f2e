"""A server's own description: RFC 8414 and OpenID Connect Discovery."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.auth.oauth.metadata import metadata_urls, resolve
from llm_orc.errors import LoginFailed
from llm_orc.net.http import Http
from tests.fakes.scripted_server import Drop, Reply, Scripted, Step

_RFC8414 = "/.well-known/oauth-authorization-server"
_OPENID = "/.well-known/openid-configuration"


def bare(server: Scripted, path: str = "") -> OAuthClient:
    return OAuthClient(provider="acme", client_id="native-app", issuer=f"{server.url}{path}")


def described(server: Scripted, path: str = "", **more: object) -> Reply:
    issuer = f"{server.url}{path}"
    return Reply(
        {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "registration_endpoint": f"{issuer}/register",
            **more,
        }
    )


@pytest.mark.parametrize(
    ("issuer", "first", "second"),
    [
        ("https://as.example", f"https://as.example{_RFC8414}", f"https://as.example{_OPENID}"),
        ("https://as.example/", f"https://as.example{_RFC8414}", f"https://as.example{_OPENID}"),
        ("https://as.example/t/1", f"https://as.example{_RFC8414}/t/1", f"https://as.example/t/1{_OPENID}"),
        (
            "https://as.example:8443/t/",
            f"https://as.example:8443{_RFC8414}/t",
            f"https://as.example:8443/t{_OPENID}",
        ),
    ],
)
def test_the_well_known_part_goes_before_the_issuers_path_or_after_it(
    issuer: str, first: str, second: str
) -> None:
    assert metadata_urls(issuer) == (first, second)


async def test_endpoints_come_from_the_metadata(server: Scripted, http: Http) -> None:
    server.on(
        f"{_RFC8414}/tenant", described(server, "/tenant", authorization_response_iss_parameter_supported=True)
    )

    client = await resolve(bare(server, "/tenant"), http)

    assert client.authorization_endpoint == f"{server.url}/tenant/authorize"
    assert client.token_endpoint == f"{server.url}/tenant/token"
    assert client.revocation_endpoint is None
    assert client.requires_iss


async def test_what_is_configured_stands(server: Scripted, http: Http) -> None:
    server.on(_RFC8414, described(server, device_authorization_endpoint=f"{server.url}/device"))

    client = await resolve(replace(bare(server), token_endpoint="https://mine.example/token"), http)

    assert client.token_endpoint == "https://mine.example/token"
    assert client.device_authorization_endpoint == f"{server.url}/device"
    assert not client.requires_iss


async def test_nobody_is_asked_where_all_that_is_needed_is_configured(
    server: Scripted, http: Http, client: OAuthClient
) -> None:
    with_issuer = replace(client, issuer=server.url)

    assert await resolve(with_issuer, http) == with_issuer
    assert await resolve(client, http) == client
    partly = replace(with_issuer, revocation_endpoint=None)
    assert await resolve(partly, http, needs=("token_endpoint",)) == partly
    assert server.asked == []


@pytest.mark.parametrize(
    "first", [Reply(status=404), Reply(b"<html>", content_type="text/html"), Reply([1]), Drop]
)
async def test_openid_discovery_comes_second(server: Scripted, http: Http, first: Step) -> None:
    server.on(_RFC8414, first)
    server.on(_OPENID, described(server))

    client = await resolve(bare(server), http)

    assert client.token_endpoint == f"{server.url}/token"
    assert [asked.path for asked in server.asked][-1] == _OPENID


@pytest.mark.parametrize("issuer", ["https://evil.example", "{url}/", None, 7])
async def test_metadata_of_another_issuer_is_not_used(server: Scripted, http: Http, issuer: object) -> None:
    said = issuer.format(url=server.url) if isinstance(issuer, str) else issuer
    server.on(_RFC8414, described(server, issuer=said))
    server.on(_OPENID, described(server))

    with pytest.raises(LoginFailed, match="describes issuer"):
        await resolve(bare(server), http)


async def test_metadata_behind_a_redirect_is_not_used(server: Scripted, http: Http) -> None:
    other = Scripted()
    await other.start()
    away = Reply(b"", 302, {"location": f"{other.url}{_RFC8414}"})
    server.on(_RFC8414, away)
    server.on(_OPENID, away)

    with pytest.raises(LoginFailed, match="status 302"):
        await resolve(bare(server), http)

    await other.stop()
    assert other.asked == []


@pytest.mark.parametrize(
    "issuer",
    [
        "http://as.example",
        "http://localhost:1",
        "https://as.example?x=1",
        "https://as.example#x",
        "as.example",
        "",
    ],
)
async def test_an_issuer_that_is_not_a_plain_https_address_is_not_asked(http: Http, issuer: str) -> None:
    with pytest.raises(LoginFailed, match="issuer"):
        await resolve(OAuthClient(provider="acme", client_id="x", issuer=issuer), http)


@pytest.mark.parametrize("endpoint", ["http://as.example/token", "javascript:alert(1)", 7, ""])
async def test_an_endpoint_that_is_not_https_is_not_taken(server: Scripted, http: Http, endpoint: object) -> None:
    server.on(_RFC8414, described(server, token_endpoint=endpoint))

    with pytest.raises(LoginFailed, match="token_endpoint"):
        await resolve(bare(server), http)


async def test_a_server_that_says_nothing_is_named_with_what_was_tried(server: Scripted, http: Http) -> None:
    with pytest.raises(LoginFailed) as caught:
        await resolve(bare(server), http)

    assert f"{server.url}{_RFC8414}" in caught.value.message
    assert f"{server.url}{_OPENID}" in caught.value.message
    assert "providers.acme.oauth.issuer" in str(caught.value.hint)
