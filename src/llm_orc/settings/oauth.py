"""Check that a provider's OAuth settings, merged from all layers, are complete enough for a sign-in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.settings.fields import SettingPath
    from llm_orc.settings.layer import Value

ENDPOINTS = (
    "authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "device_authorization_endpoint",
    "jwks_uri",
)
_BEGINNINGS = ("authorization_endpoint", "device_authorization_endpoint")


def oauth_problems(values: Mapping[SettingPath, Value]) -> list[Problem]:
    """Return a problem for each provider whose sign-in can't start or can't complete."""
    by_provider: dict[str, dict[str, Value]] = {}
    for path, value in values.items():
        if path[0] == "providers" and path[2:3] == ("oauth",) and value.value is not None:
            by_provider.setdefault(path[1], {})[path[3]] = value
    return [problem for name, given in by_provider.items() for problem in _problems(name, given)]


def endpoints_of_another_server(values: Mapping[str, Value]) -> frozenset[str]:
    """Return a preset's endpoints for its own issuer if the configuration names another one.

    They must not be mixed: codes and tokens of one server would go to the other.
    """
    issuer = values.get("issuer")
    if issuer is None or issuer.value is None or issuer.origin.layer == "packaged":
        return frozenset()
    return frozenset(key for key in ENDPOINTS if key in values and values[key].origin.layer == "packaged")


def _problems(name: str, given: Mapping[str, Value]) -> list[Problem]:
    found = []
    redirect = given.get("redirect")
    if redirect is not None and redirect.value == "paste" and "redirect_uri" not in given:
        message = f"`providers.{name}.oauth` has `redirect: paste` but no `redirect_uri`"
        found.append(_at(redirect, message, "Add the address of the provider's page that shows the code."))
    if "issuer" not in given and not ("token_endpoint" in given and any(key in given for key in _BEGINNINGS)):
        message = f"`providers.{name}.oauth` does not say where to sign in"
        hint = "Add `issuer`, or `authorization_endpoint` and `token_endpoint`."
        found.append(_at(next(iter(given.values())), message, hint))
    checked = given.get("requires_id_token")
    if checked is not None and checked.value is True and "issuer" not in given:
        message = f"`providers.{name}.oauth` requires ID tokens, and does not say who issues them"
        found.append(_at(checked, message, "Add `issuer`."))
    return found


def _at(value: Value, message: str, hint: str) -> Problem:
    return Problem(message, value.origin.file, value.origin.line, value.column, hint)
