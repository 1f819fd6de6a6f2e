"""In which state a stored credential is, from what the entry itself remembers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from llm_orc.auth.credential import DEFAULT_ACCOUNT, ApiKey, OAuthToken
from llm_orc.auth.expiry import Urgency, urgency
from llm_orc.auth.refresh import hash_of

if TYPE_CHECKING:
    from llm_orc.auth.credential import Entry

EntryState = Literal["verified", "unverified", "lapsed", "expired", "refused"]
_ENDS_FOR_GOOD = "; it can't be renewed when it ends"


@dataclass(frozen=True, slots=True)
class StateOfEntry:
    """`why` is what the state rests on, `hint` the command that would better it."""

    name: EntryState
    why: str
    hint: str | None = None


def state_of(entry: Entry, now: float) -> StateOfEntry:
    """Nothing is asked: `verified` means that the provider has taken it at least once."""
    if (refusal := _refusal(entry)) is not None:
        return StateOfEntry("refused", refusal, "use another access: llm-orc setup")
    if not isinstance(entry.credential, OAuthToken):
        return _proof(entry)
    return _state_of_token(entry, entry.credential, now)


def sign_in_again(entry: Entry) -> str:
    if entry.source == "ant-profile":
        return "ant auth login"
    account = f" --account {entry.account}" if entry.account != DEFAULT_ACCOUNT else ""
    return f"llm-orc auth add {entry.provider}{account}"


def _state_of_token(entry: Entry, token: OAuthToken, now: float) -> StateOfEntry:
    can_renew = token.refresh_token is not None and not _is_dead(entry, token)
    if urgency(token, now) is not Urgency.EXPIRED:
        proof = _proof(entry)
        if can_renew or token.expires_at is None:
            return proof
        return StateOfEntry(proof.name, proof.why + _ENDS_FOR_GOOD, sign_in_again(entry))
    if can_renew:
        return StateOfEntry("lapsed", "the access token has ended; the next call renews it by itself")
    why = (
        "the server has ended the sign-in"
        if token.refresh_token is not None
        else "it came without a refresh token"
    )
    return StateOfEntry("expired", f"the access token has ended and can't be renewed: {why}", sign_in_again(entry))


def _proof(entry: Entry) -> StateOfEntry:
    if entry.proven_at is None:
        return StateOfEntry("unverified", "not tried yet", f"llm-orc auth test {entry.provider}")
    return StateOfEntry("verified", "the provider took it")


def _refusal(entry: Entry) -> str | None:
    """Hold the refusal against the credential that was refused, not against a newer one."""
    if entry.refused is None:
        return None
    credential = entry.credential
    secret = (
        credential.key if isinstance(credential, ApiKey) else credential.refresh_token or credential.access_token
    )
    if hash_of(secret) != entry.refused.credential_hash:
        return None
    return f"the provider does not take it from llm-orc: {entry.refused.message or entry.refused.signature}"


def _is_dead(entry: Entry, token: OAuthToken) -> bool:
    if entry.needs_login is None or token.refresh_token is None:
        return False
    return hash_of(token.refresh_token) == entry.needs_login.refresh_token_hash
