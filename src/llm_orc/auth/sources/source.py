"""The interface of a source: what it is asked, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from llm_orc.auth.credential import ApiKey, Entry, OAuthToken
from llm_orc.auth.refusals import RefusalMemory
from llm_orc.auth.source import FoundKey
from llm_orc.auth.standing import Standing
from llm_orc.auth.storage import CredentialStorage
from llm_orc.auth.stores.ant_profile import AntProfile
from llm_orc.auth.tokens.marks import lasting_secret
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from llm_orc.auth.secret import Secret

CredentialKind = Literal["api-key", "oauth", "token-command"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The requested credential. `origin` is the configured server that it would be sent to; empty: unknown.

    `variable`, `file` and `command` are the sources that the configuration names, `variables` the usual
    ones.
    """

    provider: str
    origin: str
    variables: tuple[str, ...] = ()
    variable: str | None = None
    file: Path | None = None
    client_id: str | None = None  # of the configured OAuth client
    can_exchange: bool = False  # the configuration says where tokens are refreshed
    command: tuple[str, ...] = ()
    is_plan: bool = False  # a plan pays for the provider's calls, which then have no other credential
    required_scopes: tuple[str, ...] = ()  # without which a token is of no use


@dataclass(frozen=True, slots=True)
class Places:
    """Everything that the sources read."""

    environ: Mapping[str, str] = field(repr=False)
    storage: CredentialStorage
    ant: AntProfile
    refusals: RefusalMemory
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True)
class FoundCredential:
    """A credential, or a source that can't be read (then `kind` may be None).

    `where` describes the source to a person, `label` is what a run shows. `is_set_up`: the user set it up.
    """

    place: str  # the name of its source
    kind: CredentialKind | None
    where: str
    label: str
    standing: Standing
    is_set_up: bool = False
    is_active: bool = True  # is it the active one of several accounts?
    key: FoundKey | None = field(default=None, repr=False)
    entry: Entry | None = field(default=None, repr=False)
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """One place where credentials can be.

    `find` yields what there is of one provider. `why` says why a run uses it, where nothing says more. `rank`
    orders it among the sources of all providers, for agents that name no model: a lower one goes first.
    """

    name: str
    find: Callable[[Wanted, Places], Iterator[FoundCredential]]
    why: str
    rank: int


def secrets_of(found: FoundCredential) -> tuple[Secret, ...]:
    """Return the secrets under which a refusal of this credential may be remembered."""
    if found.key is not None:
        return (found.key.secret,)
    match found.entry.credential if found.entry is not None else None:
        case ApiKey(key):
            return (key,)
        case OAuthToken() as token:
            return (lasting_secret(token), token.access_token)
        case None:
            return ()
