"""Trusted certificates: the system's or those of `SSL_CERT_FILE`, and in addition `network.ca_file`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.errors import SettingsError
from llm_orc.net.text import one_line

if TYPE_CHECKING:
    import ssl

    from llm_orc.net.options import NetworkSettings

_BEGINS = (
    b"-----BEGIN CERTIFICATE-----",
    b"-----BEGIN TRUSTED CERTIFICATE-----",
    b"-----BEGIN X509 CERTIFICATE-----",
)
_VARIABLE = "SSL_CERT_FILE"


def check_bundles(settings: NetworkSettings) -> None:
    """Raise `SettingsError` if a configured bundle contains no certificate: fast, before anything is sent."""
    for path, named_by in _named(settings):
        try:
            content = path.read_bytes()
        except OSError as e:
            raise _unusable(path, named_by, e.strerror or str(e)) from None
        if not any(begin in content for begin in _BEGINS):
            raise _unusable(path, named_by, "it contains no PEM certificate")


def tls_context(settings: NetworkSettings) -> ssl.SSLContext:
    """Return the TLS context. Raises `SettingsError` if a bundle can't be used."""
    import ssl  # noqa: PLC0415 - heavy

    context = ssl.create_default_context()
    context.set_alpn_protocols(("http/1.1",))
    for path, named_by in _named(settings):
        # OpenSSL doesn't report a file of the environment that it can't read, so it is read here too.
        try:
            context.load_verify_locations(cafile=path)
        except (OSError, ssl.SSLError) as e:
            raise _unusable(path, named_by, _said(e)) from None
    return context


def authorities(settings: NetworkSettings) -> str:
    """Describe which certificates are trusted."""
    named = [f"`{path}` (from {named_by})" for path, named_by in _named(settings)]
    if not os.environ.get(_VARIABLE):
        folder = os.environ.get("SSL_CERT_DIR")
        named.insert(0, f"those in `{folder}` (from SSL_CERT_DIR)" if folder else "the system's")
    return " and ".join(named)


def _named(settings: NetworkSettings) -> list[tuple[Path, str]]:
    of_environment = os.environ.get(_VARIABLE)
    found = [(Path(of_environment), _VARIABLE)] if of_environment else []
    return [*found, (settings.ca_file, "`network.ca_file`")] if settings.ca_file is not None else found


def _said(error: OSError) -> str:
    import ssl  # noqa: PLC0415 - heavy

    if isinstance(error, ssl.SSLError):
        return "it contains no PEM certificate, or a damaged one"
    return error.strerror or one_line(str(error))


def _unusable(path: Path, named_by: str, why: str) -> SettingsError:
    return SettingsError(
        f"the CA file `{path}` (from {named_by}) can't be used: {why}",
        hint=f"Set {named_by} to a file of PEM certificates, or remove it.",
    )
