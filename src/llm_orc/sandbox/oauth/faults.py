"""What can go wrong at the authorisation server, on demand, in the words of `faults` and a few of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from llm_orc.jsontypes import JsonValue
from llm_orc.sandbox.faults import Delay, Garbage, Hang, Status

EndpointName = Literal["authorize", "token", "revoke", "device", "metadata"]


@dataclass(frozen=True, slots=True)
class OAuthError:
    """The request is refused with this `error` and not worked on: `invalid_grant`, `slow_down`, …"""

    error: str
    description: str = "a fault of the llm-orc sandbox"
    status: int = 400


@dataclass(frozen=True, slots=True)
class Dropped:
    """The connection is closed before the request is worked on."""


@dataclass(frozen=True, slots=True)
class LostAnswer:
    """The request is worked on, tokens rotated and all; then the connection is closed without an answer."""


@dataclass(frozen=True, slots=True)
class LateAnswer:
    """The request is worked on at once, and its answer held back for so many seconds."""

    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Altered:
    """The answer has these fields in place of its own; None leaves one out.

    At `authorize` they are the parameters of the redirect: `Altered({"state": "forged"})`.
    """

    fields: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SentElsewhere:
    """The answer is a redirect to another address."""

    location: str
    status: int = 307


# Status and Garbage answer in place of the server, Delay and Hang come before it works on the request.
OAuthEffect = (
    Status | Garbage | Delay | Hang | OAuthError | Dropped | LostAnswer | LateAnswer | Altered | SentElsewhere
)


@dataclass(frozen=True, slots=True)
class OAuthRequest:
    """What a fault can tell requests apart by."""

    endpoint: EndpointName
    grant_type: str = ""


@dataclass(frozen=True, slots=True)
class OAuthFault:
    """An effect and the requests it meets: after letting `after` of the matching ones pass, the next `times`.

    `grant_type` is a glob, for the token endpoint: `refresh_token`, `*device_code`. `times` None: no end.
    """

    effect: OAuthEffect
    endpoint: EndpointName = "token"
    grant_type: str = "*"
    times: int | None = None
    after: int = 0

    def matches(self, asked: OAuthRequest) -> bool:
        return asked.endpoint == self.endpoint and fnmatchcase(asked.grant_type, self.grant_type)
