"""What every source is asked and what it answers: the shape of a row of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from llm_orc.auth.credential import ApiKey, Entry, OAuthToken
from llm_orc.auth.refusals import RefusalMemory
from llm_orc.auth.source import FoundKey
from llm_orc.auth.standing import Standing
from llm_orc.auth.storage import CredentialStorage
from llm_orc.auth.stores.ant_profile import AntProfile
from llm_orc.auth.tokens.marks import lasting_secret

if TYPE_CHECKING:
    from llm_orc.auth.secret import Secret

CredentialKind = Literal["api-key", "oauth"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose credential is looked for. `origin` is the server that it would go to, as configured; empty: unknown.

    `variable` and `file` are where the configuration says that the key is, `variables` where it usually is.
    """

    provider: str
    origin: str
    variables: tuple[str, ...] = ()
    variable: str | None = None
    file: Path | None = None
    client_id: str | None = None  # of the configured OAuth client
    can_exchange: bool = False  # the configuration says where tokens are renewed


@dataclass(frozen=True, slots=True)
class Places:
    """Everything that sources read."""

    environ: Mapping[str, str] = field(repr=False)
    storage: CredentialStorage
    ant: AntProfile
    refusals: RefusalMemory
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True)
class FoundCredential:
    """A credential, or that the place which should hold one can't be read (then `kind` may be None).

    `where` tells a person the place, `label` what a run shows as its source. `is_set_up`: its user put it there.
    """

    place: str  # the name of its source
    kind: CredentialKind | None
    where: str
    label: str
    standing: Standing
    is_set_up: bool = False
    is_active: bool = True  # of several accounts, the one that counts
    key: FoundKey | None = field(default=None, repr=False)
    entry: Entry | None = field(default=None, repr=False)


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
    """Return all that a refusal of this credential may be remembered by."""
    if found.key is not None:
        return (found.key.secret,)
    match found.entry.credential if found.entry is not None else None:
        case ApiKey(key):
            return (key,)
        case OAuthToken() as token:
            return (lasting_secret(token), token.access_token)
        case None:
            return ()
