"""The addresses that OAuth may use: https, and http only for literal loopback addresses (RFC 8252 §7.3)."""

from __future__ import annotations

from urllib.parse import urlsplit

LOOPBACK_HOSTS = ("127.0.0.1", "::1")


def problem_of(url: str) -> str:
    """Say why `url` can't be used, or nothing."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "it is not a URL"
    is_http_elsewhere = parts.scheme == "http" and host not in LOOPBACK_HOSTS
    problems = (
        (not url.isascii() or not url.isprintable() or " " in url, "it contains characters that a URL can't"),
        (not host or parts.scheme not in {"https", "http"}, "it needs `https://` and a host"),
        (is_http_elsewhere, "it needs https (plain http is only for 127.0.0.1 and [::1])"),
        (parts.username is not None, "it must not contain a user name or a password"),
        ("#" in url, "it must have no `#` part"),
    )
    return next((words for is_bad, words in problems if is_bad), "")
