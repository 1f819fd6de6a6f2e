"""Loopback servers, a transport, a clock and a person."""

from __future__ import annotations

from tests.auth.oauth.fixtures import client, clock, http, person, server

__all__ = ["client", "clock", "http", "person", "server"]
