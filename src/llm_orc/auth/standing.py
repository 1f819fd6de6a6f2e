"""The state of a credential, from what is stored about it: one decision for runs and for all views."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal

from llm_orc.auth.credential import DEFAULT_ACCOUNT, ApiKey, OAuthToken
from llm_orc.auth.refusals import REFUSED_KEY
from llm_orc.auth.tokens.expiry import Urgency, urgency
from llm_orc.auth.tokens.marks import hash_of, lasting_secret
from llm_orc.auth.tokens.too_early import refreshable_from, sign_in_command, too_early
from llm_orc.dataclass import dataclass
from llm_orc.errors import AccessRefused, CredentialExpired, CredentialRefused, LlmOrcError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_orc.auth.credential import Entry, Refused
    from llm_orc.auth.refusals import RefusalMemory
    from llm_orc.auth.secret import Secret

StandingName = Literal[
    "verified",
    "unverified",
    "lapsed",
    "expired",
    "refused",
    "ungranted",
    "damaged",
    "locked",
    "corrupt",
    "absent",
]
ANT_SIGN_IN = "ant auth login"


@dataclass(frozen=True, slots=True)
class Standing:
    """`why` is the state's reason, `hint` the next step. `problem`: why a run can't send it; None: it can."""

    name: StandingName
    why: str
    hint: str | None = None
    problem: LlmOrcError | None = field(default=None, compare=False)

    @property
    def is_usable(self) -> bool:
        return self.problem is None


def standing_of(
    entry: Entry, now: float, origin: str, refusals: RefusalMemory, no_renewal: str | None
) -> Standing:
    """Return the state, without any request. `verified`: the provider has accepted it at least once.

    `origin` is the server that it would be sent to, `no_renewal` why a sign-in can't be refreshed (None: it can).
    """
    credential = entry.credential
    if isinstance(credential, ApiKey):
        refused = refusals.find(origin, credential.key) or _marked(entry, credential.key)
        return _proof(entry) if refused is None else _refused_key(entry, refused)
    lasting = lasting_secret(credential)
    refused = refusals.find(origin, lasting) or _marked(entry, lasting)
    if refused is not None and (refused.signature != REFUSED_KEY or no_renewal is None):
        return _refused_sign_in(entry, refused)
    return _of_token(entry, credential, now, no_renewal, refused or refusals.find(origin, credential.access_token))


def key_standing(secret: Secret, origin: str, refusals: RefusalMemory, what: str, provider: str) -> Standing:
    """Return the state of a key that is read in place, and of which only refusals are remembered."""
    refused = refusals.find(origin, secret)
    if refused is None:
        return Standing("unverified", "it is read in place; whether it works is not remembered")
    why = f"`{provider}` has refused it{_said(refused)}"
    hint = f"Replace the key, or try this one once more: `llm-orc auth test {provider}`."
    problem = CredentialRefused(f"`{provider}` has refused the API key of the {what}{_said(refused)}", hint=hint)
    return Standing("refused", why, hint, problem)


def why_no_renewal(entry: Entry, client_id: str | None, *, has_endpoint: bool) -> str | None:
    """Return why a sign-in can't be refreshed here, None if it can. `client_id` is that of the configuration."""
    token = entry.credential
    if not isinstance(token, OAuthToken):
        return None
    if token.refresh_token is None:
        return "it came without a refresh token"
    if entry.needs_login is not None and entry.needs_login.refresh_token_hash == hash_of(token.refresh_token):
        return "the server has ended the sign-in"
    if not has_endpoint:
        return "the configuration does not say where to refresh sign-ins of this provider"
    if not (token.client_id or client_id):
        return f"it came without its client id, and `providers.{entry.provider}.oauth.client_id` has none"
    return None


def sign_in_again(entry: Entry) -> str:
    """Return the command that replaces this sign-in with another one."""
    return ANT_SIGN_IN if entry.source == "ant-profile" else sign_in_command(entry)


def ungranted(entry: Entry, required_scopes: Sequence[str]) -> Standing | None:
    """Return the state of a sign-in that lacks a permission without which no call succeeds; None: it has all."""
    token = entry.credential
    if not isinstance(token, OAuthToken) or not (missing := missing_scopes(token.scopes, required_scopes)):
        return None
    what, again = f"`{' '.join(missing)}` was not granted", f"{sign_in_again(entry)} --consent"
    problem = AccessRefused(
        f"the sign-in `{entry.provider}` (account `{entry.account}`) can't be used: {what}",
        hint=f"Sign in again and allow it: `{again}`.",
        signature="scope_not_granted",
    )
    return Standing("ungranted", f"signed in, but {what}", again, problem)


def missing_scopes(granted: Sequence[str], required: Sequence[str]) -> tuple[str, ...]:
    """Return the required scopes that were not granted."""
    return tuple(scope for scope in required if scope not in granted)


def _of_token(
    entry: Entry, token: OAuthToken, now: float, no_renewal: str | None, refused: Refused | None
) -> Standing:
    is_over = urgency(token, now) is Urgency.EXPIRED or refused is not None
    if not is_over:
        proof = _proof(entry)
        if token.expires_at is None or no_renewal is None or entry.source == "ant-profile":
            return proof
        why = f"{proof.why}; when it expires it can't be refreshed: {no_renewal}"
        return Standing(proof.name, why, sign_in_again(entry))
    what = "the access token has expired" if refused is None else "the provider no longer accepts the access token"
    if no_renewal is None and not token.may_refresh(now):
        wait = too_early(entry, token, was_refused=refused is not None)
        why = f"{what}; its server allows a refresh from {refreshable_from(token)}"
        return Standing("lapsed", why, wait.hint, wait)
    if no_renewal is None:
        return Standing("lapsed", f"{what}; the next call refreshes it automatically")
    again, whose = sign_in_again(entry), f"`{entry.provider}` (account `{entry.account}`)"
    if entry.source == "ant-profile":
        problem = CredentialExpired(
            f"the sign-in of `{ANT_SIGN_IN}` (profile `{entry.account}`) has expired", hint=again
        )
        return Standing("expired", f"{what}; its own tool refreshes it", again, problem)
    problem = CredentialExpired(f"the sign-in {whose} has expired: {no_renewal}", hint=again)
    return Standing("expired", f"{what} and can't be refreshed: {no_renewal}", again, problem)


def _refused_key(entry: Entry, refused: Refused) -> Standing:
    account = _account(entry)
    hint = (
        f"Replace the key: `llm-orc auth add {entry.provider} --method api-key{account}`;"
        f" or try this one once more: `llm-orc auth test {entry.provider}`."
    )
    problem = CredentialRefused(
        f"`{entry.provider}` has refused the stored API key (account `{entry.account}`){_said(refused)}", hint=hint
    )
    return Standing("refused", f"the provider has refused it{_said(refused)}", hint, problem)


def _refused_sign_in(entry: Entry, refused: Refused) -> Standing:
    said = _said(refused)
    if refused.signature == REFUSED_KEY:
        hint = (
            f"Sign in again: `{sign_in_again(entry)}`; or try it once more: `llm-orc auth test {entry.provider}`."
        )
    else:
        hint = (
            f"See the other auth methods and who pays: `llm-orc auth status {entry.provider}`;"
            f" or try it once more: `llm-orc auth test {entry.provider}`."
        )
    message = f"`{entry.provider}` has refused this sign-in{said}"
    problem = AccessRefused(message, hint=hint, signature=refused.signature)
    return Standing("refused", f"the provider does not accept it from llm-orc{said}", hint, problem)


def _proof(entry: Entry) -> Standing:
    if entry.proven_at is None:
        return Standing("unverified", "not tried yet", f"llm-orc auth test {entry.provider}")
    return Standing("verified", "the provider accepted it")


def _marked(entry: Entry, secret: Secret) -> Refused | None:
    """Return the entry's mark; it applies to the refused credential, not to a newer one."""
    mark = entry.refused
    return mark if mark is not None and mark.credential_hash == hash_of(secret) else None


def _said(refused: Refused) -> str:
    return f": {refused.message or refused.signature}"


def _account(entry: Entry) -> str:
    return f" --account {entry.account}" if entry.account != DEFAULT_ACCOUNT else ""
