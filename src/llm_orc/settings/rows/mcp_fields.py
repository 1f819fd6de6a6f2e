"""The keys of `mcp_servers.NAME`: one row each."""

from __future__ import annotations

from llm_orc.settings.field import Field, Fields
from llm_orc.settings.types.oauth import client_id, scopes
from llm_orc.settings.types.values import base_url, command_line, file_path, headers, variable_name, variables
from llm_orc.storage.field_types import choice, described, number, optional, text

VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28")

MCP_FIELDS: Fields = {
    "description": Field(optional(text), "What the server is for.", is_prose=True),
    "command": Field(
        command_line, "Starts the server, as a list of words; it speaks on its standard input and output."
    ),
    "env": Field(
        variables,
        "Variables for its process. One without a value is passed on from your environment; nothing else is,"
        " except what any program needs.",
    ),
    "cwd": Field(
        described(optional(file_path), "the path of a directory"),
        "The directory that it starts in.",
        default_text="the working directory",
    ),
    "url": Field(optional(base_url), "The address of a server over HTTP, in place of `command`."),
    "headers": Field(headers, "Added to each request. Credentials are refused here."),
    "token_env": Field(
        optional(variable_name),
        "The name of the environment variable with its bearer token.",
    ),
    "client_id": Field(
        optional(client_id),
        "For a sign-in (`llm-orc mcp login`): the public client that you registered, or are entitled to use.",
        default_text="one is registered at the sign-in",
    ),
    "scopes": Field(
        optional(scopes), "For a sign-in: the scopes to request.", default_text="those that the server asks for"
    ),
    "timeout_seconds": Field(
        number(0, above=True), "The longest time for one request.", default=60.0, attribute="timeout_s"
    ),
    "protocol": Field(
        optional(choice(*VERSIONS)),
        "The version of the protocol to speak.",
        default_text="the newest that both know",
    ),
}
