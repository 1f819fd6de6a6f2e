"""Add an API key: read it, look at it, test it, and only then store it or replace another."""

from __future__ import annotations

import time
from dataclasses import field
from typing import TYPE_CHECKING

import click

from llm_orc.auth.credential import ApiKey
from llm_orc.auth.key_check import checked_key_text
from llm_orc.cli.auth.input.key_input import KeyRead, KeySourceOptions, read_key
from llm_orc.cli.auth.input.terms import agrees_to_terms
from llm_orc.cli.shell.access_lines import WHO_PAYS
from llm_orc.cli.shell.exits import write_error
from llm_orc.cli.shell.output.streams import note
from llm_orc.cli.shell.prompts import confirmed, person_is_here
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.dataclass import dataclass
from llm_orc.errors import AuthError, CredentialRefused, KeyMalformed
from llm_orc.formats.figures import relative

if TYPE_CHECKING:
    from llm_orc.app.accounts.auth_methods import AuthMethod, AuthProvider
    from llm_orc.app.accounts.new_key import OtherProvider
    from llm_orc.app.wiring import App
    from llm_orc.auth.credential import Entry
    from llm_orc.auth.secret import Secret
    from llm_orc.providers.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """What the options of `auth add` ask for. `replaces`: replace another without a question."""

    sources: KeySourceOptions
    account: str | None = None
    acknowledge_terms: bool = False
    replaces: bool = False
    verifies: bool = True


@dataclass(frozen=True, slots=True)
class AddedKey:
    """`provider` is the one that the key turned out to be of; `untested` says why nothing proves that it works."""

    provider: AuthProvider
    entry: Entry
    untested: str = ""


def add_key(app: App, provider: AuthProvider, method: AuthMethod, request: KeyRequest) -> AddedKey:
    """Add a key; at a prompt, a wrong one can be entered again. Raises what is wrong with it."""
    from llm_orc.app.accounts.sign_in import place_for_key, refuse_without_yes

    place_for_key(app, provider)
    acknowledged = request.acknowledge_terms or agrees_to_terms(method)
    refuse_without_yes(provider, method, acknowledged=acknowledged)
    while True:
        try:
            return _Adding(app, provider, request, acknowledged=acknowledged).add()
        except (KeyMalformed, CredentialRefused) as e:
            if not (request.sources.is_typed and person_is_here()):
                raise
            write_error(e)
            if not confirmed("Enter it again?", default=True):
                raise click.exceptions.Exit(e.exit_code) from None


@dataclass(frozen=True, slots=True)
class _Adding:
    app: App
    provider: AuthProvider
    request: KeyRequest
    acknowledged: bool = field(kw_only=True)

    def add(self) -> AddedKey:
        if self.request.sources.is_typed and person_is_here():
            self._say_where_keys_are()
        spec = self.provider.spec
        environ = self.app.environment.environ
        read = read_key(self.request.sources, self.provider.name, environ, spec.api_key_env)
        for words in read.pasted.notes:
            note(words)
        if (added := self._for_other(read)) is not None:
            return added
        return self.store(read)

    def store(self, read: KeyRead) -> AddedKey:
        from llm_orc.app.accounts.new_key import needs_yes, standing_entry
        from llm_orc.app.accounts.sign_in import add_api_key, place_for_key

        endpoint = place_for_key(self.app, self.provider)
        key = checked_key_text(read.pasted.key.reveal(), read.where, endpoint.origin)
        standing = standing_entry(self.app, self.provider.name, self.request.account)
        replaces = needs_yes(standing, key)
        if replaces and standing is not None and not self.request.replaces:
            refuse_to_replace(standing)
        untested = self._untested(key, endpoint, replaces=replaces)
        if replaces and standing is not None and not self.request.replaces:
            ask_to_replace(standing)
        entry = add_api_key(
            self.app,
            self.provider,
            key,
            account=self.request.account,
            acknowledge_terms=self.acknowledged,
            is_proven=not untested,
        )
        if replaces and standing is not None and isinstance(standing.credential, ApiKey):
            where = f" at {self.provider.spec.keys_at}" if self.provider.spec.keys_at else ""
            note(f"The key before still works at its provider: revoke it there{where}")
        return AddedKey(self.provider, entry, untested)

    def _say_where_keys_are(self) -> None:
        method = self.provider.method("api-key")
        where = f"; its keys are at {self.provider.spec.keys_at}" if self.provider.spec.keys_at else ""
        note(f"{self.provider.spec.title}: {WHO_PAYS[method.billing]}{where}")

    def _for_other(self, read: KeyRead) -> AddedKey | None:
        """Offer to add a key of another provider to that one; None: it is for this one, or is refused later."""
        from llm_orc.app.accounts.new_key import other_provider
        from llm_orc.app.accounts.sign_in import place_for_key

        endpoint = place_for_key(self.app, self.provider)
        variable = read.pasted.variable or self.request.sources.from_env or ""
        other = other_provider(read.pasted.key, variable, self.provider.spec, endpoint)
        if other is None:
            return None
        if person_is_here():
            question = (
                f"This key {other.why}. Add it to `{other.spec.name}` instead? ({WHO_PAYS[other.spec.billing]})"
            )
            return self._moved(other, read) if confirmed(question, default=True) else None
        if self.request.verifies:
            raise KeyMalformed(
                f"{read.where} is no key of `{self.provider.name}`: it {other.why}",
                hint=f"llm-orc auth add {other.spec.name}",
            )
        return None

    def _moved(self, other: OtherProvider, read: KeyRead) -> AddedKey:
        from llm_orc.app.accounts.auth_methods import open_provider
        from llm_orc.app.accounts.sign_in import refuse_without_yes

        provider = open_provider(self.app, other.spec.name)
        method = provider.method("api-key")
        acknowledged = agrees_to_terms(method)
        refuse_without_yes(provider, method, acknowledged=acknowledged)
        return _Adding(self.app, provider, self.request, acknowledged=acknowledged).store(read)

    def _untested(self, key: Secret, endpoint: Endpoint, *, replaces: bool) -> str:
        """Test the key, and return why that was not possible. Raises `AuthError`."""
        from llm_orc.app.accounts.new_key import doubt_about, try_key
        from llm_orc.net.event_loop import run_to_end

        if not self.request.verifies:
            return "--no-verify"
        why = run_to_end(try_key(self.app, self.provider, endpoint, key))
        if not why:
            return ""
        doubt = doubt_about(key, self.provider.spec, endpoint)
        also = f" It {doubt}." if doubt else ""
        if person_is_here():
            if confirmed(f"The key is not tested: {why}.{also} Store it anyway?", default=not (doubt or replaces)):
                return why
            note("Nothing was changed.")
            raise click.exceptions.Exit(1)
        if doubt or replaces:
            raise AuthError(
                f"the key could not be tested, and it {doubt or 'would replace another'}: {why}",
                hint="Try again later, or store it untested with `--no-verify`.",
            )
        return why


def in_place(standing: Entry) -> str:
    """Name the stored credential that another one would replace."""
    what = "an API key" if isinstance(standing.credential, ApiKey) else "a sign-in"
    since = f", added {relative(standing.obtained_at, time.time())}" if standing.obtained_at is not None else ""
    return f"`{standing.provider}` has {what} already (account `{standing.account}`{since})"


def refuse_to_replace(standing: Entry) -> None:
    """Without a terminal, raise `UsageMistake`: nothing is replaced unless that is said."""
    if not person_is_here():
        raise UsageMistake(
            in_place(standing),
            hint="Add `--replace` to replace it, or `--account NAME` to store another one beside it.",
        )


def ask_to_replace(standing: Entry) -> None:
    """Ask the person at the terminal; a no ends the command."""
    if not confirmed(f"{in_place(standing)}. Replace it?"):
        note("Nothing was changed. To have both, add this one under another name, with `--account`.")
        raise click.exceptions.Exit(1)
