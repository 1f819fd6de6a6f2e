"""`llm-orc explain`: the graph, and what each agent would use or misses."""

from __future__ import annotations

import json

from tests.cli.conftest import Shell

MIXED = """\
name: mixed
agents:
  - {name: a, provider: openai, model: m, cache: true}
  - {name: b, provider: openai, model: m, cache: {for: 30d}}
  - {name: c, depends_on: [a, b], provider: ollama, model: m}
"""


def test_without_access_the_graph_is_shown_and_what_each_agent_misses(bare: Shell) -> None:
    bare.ensemble("mixed", MIXED)

    done = bare.run("explain", "mixed")

    assert done.returncode == 4
    assert done.stdout.startswith("mixed: 3 agents\n  1. a, b\n  2. c\n\nc\n  uses     ollama m by none\n")
    missing = done.stdout.partition("\na, b\n")[2].splitlines()
    assert missing[0] == "  missing  there is no API key for `openai`"
    assert missing[1].startswith("           Run `llm-orc auth add openai`")
    assert missing[-2:] == [
        "an answer of before, where nothing has changed · agent a",
        "an answer of before, where nothing has changed, at most 30d old · agent b",
    ]
    assert done.stderr.startswith("error: there is no API key for `openai` (agents `a`, `b`)\n")


def test_as_json_it_is_one_document_with_the_error(bare: Shell) -> None:
    bare.ensemble("mixed", MIXED)

    done = bare.run("explain", "mixed", "--json")

    value = json.loads(done.stdout)
    assert (done.returncode, value["order"]) == (4, [["a", "b"], ["c"]])
    assert [agent["agent"] for agent in value["agents"]] == ["c"]
    assert [(one["agent"], one["problems"][0]["code"]) for one in value["missing"]] == [
        ("a", "not_logged_in"),
        ("b", "not_logged_in"),
    ]
    assert value["cached"] == [{"agent": "a", "max_age_s": None}, {"agent": "b", "max_age_s": 2_592_000.0}]
    assert value["error"]["code"] == "not_logged_in"


def test_check_says_which_answers_may_be_from_the_cache(bare: Shell) -> None:
    bare.ensemble("mixed", MIXED)

    done, value = bare.run("check", "mixed", "--offline"), json.loads(bare.run("check", "mixed", "--json").stdout)

    assert (
        "A run would be given again:\n  an answer of before, where nothing has changed · agent a\n" in done.stdout
    )
    assert [one["agent"] for one in value["ensembles"][0]["cached"]] == ["a", "b"]
