"""Which entry of `permissions` decides about a call."""

from __future__ import annotations

import pytest

from llm_orc.agents.tools.tool import Tool, ToolResult, ToolUse
from llm_orc.app.tools.permission import Rule, Rules, allowing, rule_of, usual
from llm_orc.jsontypes import JsonValue


async def _call(_use: ToolUse, _arguments: dict[str, JsonValue]) -> ToolResult:
    return ToolResult("")


def tool(
    name: str = "mcp.github.delete_repo", *, acts: bool = True, sends: bool = False, digest: str = ""
) -> Tool:
    return Tool(name, "", {}, _call, acts=acts, sends=sends, digest=digest)


def layer(**entries: str) -> tuple[Rule, ...]:
    """Return a layer; `__` stands for a dot, and `ALL` for `*`."""
    named = {key.replace("__", ".").replace("ALL", "*"): value for key, value in entries.items()}
    return tuple(rule_of(pattern, verdict, "here") for pattern, verdict in named.items())


@pytest.mark.parametrize(
    ("acts", "sends", "expected"),
    [(False, False, "allow"), (True, False, "ask"), (False, True, "ask"), (True, True, "ask")],
)
def test_by_default_what_acts_or_sends_is_asked_about(acts: bool, sends: bool, expected: str) -> None:
    assert usual(tool(acts=acts, sends=sends)) == expected
    assert Rules().decide(tool(acts=acts, sends=sends)).verdict == expected


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ({"mcp__github__delete_repo": "allow", "mcp__github__ALL": "deny"}, "allow"),
        ({"mcp__ALL": "allow", "mcp__github__ALL": "deny"}, "deny"),
        ({"mcp__ALL": "deny", "mcp__github__ALL": "allow"}, "allow"),
        ({"ALL__delete_repo": "ask", "mcp__githubALL": "allow"}, "ask"),
        ({"ALL": "allow"}, "allow"),
        ({"mcp__gitlab__ALL": "allow", "files__ALL": "allow"}, "ask"),
        ({"mcp__github__delete": "allow"}, "ask"),
    ],
)
def test_in_a_layer_the_most_specific_entry_counts(entries: dict[str, str], expected: str) -> None:
    assert Rules((layer(**entries),)).decide(tool()).verdict == expected


def test_of_equally_specific_entries_the_strictest_counts() -> None:
    rules = (Rule("mcp.*.delete_repo", "allow", "a"), Rule("mcp.github.*lete_repo", "allow", "b"))
    both = (*rules, Rule("*cp.github.delete_repo", "deny", "c"), Rule("mcp.github.delete_rep*", "allow", "d"))

    assert Rules((both,)).decide(tool()).verdict == "deny"


@pytest.mark.parametrize(
    ("line", "ensemble", "settings", "expected"),
    [
        ("allow", "ask", "ask", "allow"),
        ("", "ask", "allow", "ask"),
        ("", "", "allow", "allow"),
        ("allow", "allow", "deny", "deny"),
        ("allow", "deny", "allow", "deny"),
        ("deny", "allow", "allow", "deny"),
        ("ask", "allow", "allow", "ask"),
    ],
)
def test_the_first_layer_counts_and_what_any_denies_is_denied(
    line: str, ensemble: str, settings: str, expected: str
) -> None:
    layers = tuple(layer(mcp__ALL=verdict) if verdict else () for verdict in (line, ensemble, settings))

    assert Rules(layers).decide(tool()).verdict == expected


def test_an_allowed_definition_that_has_changed_is_asked_about_again() -> None:
    before, after = tool(digest="a" * 64), tool(digest="b" * 64)
    rules = Rules((layer(mcp__github__delete_repo=allowing(before)),))

    assert rules.decide(before).verdict == "allow"
    assert rules.decide(after).verdict == "ask"
    assert (
        rules.decide(after).words
        == "asked (its definition has changed since it was allowed: `mcp.github.delete_repo` in here)"
    )


def test_the_words_name_the_entry() -> None:
    assert Rules((layer(mcp__ALL="deny"),)).decide(tool()).words == "denied (`mcp.*` in here)"
    assert Rules().decide(tool()).words == "asked (by default)"
