"""Faults of the authorisation server, on demand: those of `sandbox/faults.py` and a few more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from fnmatch import fnmatchcase
from typing import Literal

from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue
from llm_orc.sandbox.faults import Delay, Garbage, Hang, Status
from llm_orc.sandbox.oauth.id_tokens import AlteredIdToken

EndpointName = Literal["authorize", "token", "revoke", "device", "metadata", "keys"]


@dataclass(frozen=True, slots=True)
class OAuthError:
    """The request is refused with this `error` (`invalid_grant`, `slow_down`, …) and not processed."""

    error: str
    description: str = "a fault of the llm-orc sandbox"
    status: int = 400


@dataclass(frozen=True, slots=True)
class Dropped:
    """The connection is closed before the request is processed."""


@dataclass(frozen=True, slots=True)
class LostAnswer:
    """The request is processed, so tokens are rotated; then the connection is closed without an answer."""


@dataclass(frozen=True, slots=True)
class LateAnswer:
    """The request is processed at once, and its answer is delayed by `seconds`."""

    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Altered:
    """These fields replace those of the answer; None removes a field.

    At `authorize`, they are the parameters of the redirect: `Altered({"state": "forged"})`.
    """

    fields: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SentElsewhere:
    """The answer is a redirect to another address."""

    location: str
    status: int = 307


# Status and Garbage replace the answer; Delay and Hang take effect before the request is processed.
OAuthEffect = (
    Status
    | Garbage
    | Delay
    | Hang
    | OAuthError
    | Dropped
    | LostAnswer
    | LateAnswer
    | Altered
    | AlteredIdToken
    | SentElsewhere
)


@dataclass(frozen=True, slots=True)
class OAuthRequest:
    """The properties of a request by which a fault selects it."""

    endpoint: EndpointName
    grant_type: str = ""


@dataclass(frozen=True, slots=True)
class OAuthFault:
    """An effect and its requests: of the matching ones, the first `after` pass and the next `times` are hit.

    `grant_type` is a glob, for the token endpoint: `refresh_token`, `*device_code`. `times` None: all that follow.
    """

    effect: OAuthEffect
    endpoint: EndpointName = "token"
    grant_type: str = "*"
    times: int | None = None
    after: int = 0

    def matches(self, asked: OAuthRequest) -> bool:
        return asked.endpoint == self.endpoint and fnmatchcase(asked.grant_type, self.grant_type)
