"""Ensembles that run within agents of others, as a person and a script see them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

DEAL = """\
name: deal
inputs: {language: {enum: [English, Deutsch], default: English}}
default_task: Look at this.
agents:
  - name: facts
  - name: legal
    ensemble: legal-panel
    inputs: {language: "${inputs.language}", facts: "${facts}"}
  - name: market
    ensemble: ./parts/market.yaml
    task: "Assess ${task}"
  - name: report
    depends_on: [legal, market]
"""
LEGAL = """\
name: legal-panel
inputs: {language: string, facts: string}
agents:
  - name: lawyer
    prompt: "In ${inputs.language}: ${inputs.facts} of ${task}"
  - {name: judge, depends_on: [lawyer]}
"""
MARKET = """\
name: market
answer: analyst
agents:
  - {name: analyst}
  - {name: leaf, ensemble: leaf}
"""
LEAF = """\
name: leaf
agents: [{name: end}]
"""


@pytest.fixture
def deal(shell: Shell) -> Shell:
    folder = shell.own_ensemble("deal", DEAL).parent
    shell.own_ensemble("legal-panel", LEGAL)
    shell.own_ensemble("leaf", LEAF)
    (folder / "parts").mkdir()
    (folder / "parts" / "market.yaml").write_text(MARKET)
    return shell


def test_agents_within_have_paths_and_their_answer_is_that_of_the_agent_around(deal: Shell) -> None:
    done = deal.run("invoke", "deal", "--rehearse", "--json", "--set", "language=Deutsch")

    result = json.loads(done.stdout)
    results = result["results"]
    assert (done.returncode, result["status"]) == (0, "completed"), done.stderr
    assert list(results) == [
        "facts",
        "market",
        "market/analyst",
        "market/leaf",
        "market/leaf/end",
        "legal",
        "legal/lawyer",
        "legal/judge",
        "report",
    ]
    assert results["legal"]["response"] == results["legal/judge"]["response"]
    assert results["market"]["response"] == results["market/analyst"]["response"]
    assert "In Deutsch: <part-" in results["legal/lawyer"]["response"]
    assert " of='input' name='facts'>" in results["legal/lawyer"]["response"]
    assert "Assess Look at this." in results["market/leaf/end"]["response"]
    assert results["legal"]["cost_usd"] == 0
    assert result["totals"]["calls"] == 6


def test_check_and_explain_look_at_all_of_them(deal: Shell, pretend: str) -> None:
    deal.talks_to(pretend)

    explained = json.loads(deal.run("explain", "deal", "--json").stdout)
    checked = deal.run("check", "deal", "--offline")

    assert [one["agent"] for one in explained["agents"]] == [
        "facts",
        "legal/lawyer",
        "legal/judge",
        "market/analyst",
        "market/leaf/end",
        "report",
    ]
    assert checked.returncode == 0


def test_one_of_them_can_have_another_model(deal: Shell) -> None:
    named = deal.run("check", "deal", "--agent-model", "legal/judge=ollama/gemma3")
    unknown = deal.run("check", "deal", "--agent-model", "legal/jugde=ollama")

    assert "`deal` has no agent" not in named.stderr
    assert "`deal` has no agent `legal/jugde` that asks a model" in unknown.stderr
    assert "Did you mean `legal/judge`" in unknown.stderr


@pytest.mark.parametrize(
    ("before", "after", "line", "message"),
    [
        ("legal-panel", "legal-panle", 7, "no ensemble is called `legal-panle`"),
        ("./parts/market.yaml", "./parts/markt.yaml", 10, "the file `./parts/markt.yaml` does not exist"),
        ('language: "${', 'languag: "${', 8, "ensemble `legal-panel` has no input `languag`"),
        ('"${inputs.language}"', "3", 8, "input `language` of ensemble `legal-panel` must be text"),
        (', facts: "${facts}"', "", 8, "ensemble `legal-panel` needs the input `facts`"),
        ("legal-panel", "deal", 7, "ensembles run each other: `deal → deal`"),
        ("ensemble: legal-panel", "ensemble: ${facts}", 7, "`ensemble`"),
    ],
)
def test_what_is_wrong_has_its_place(deal: Shell, before: str, after: str, line: int, message: str) -> None:
    path = deal.own_ensemble("deal", DEAL.replace(before, after))

    done = deal.run("check", "deal", "--offline", "--json")

    assert done.returncode == 3
    problems = json.loads(done.stdout)["problems"]
    assert any(message in one["message"] and one["line"] == line and one["file"] == str(path) for one in problems)
    assert deal.run("invoke", "deal", "--rehearse").returncode == 3


def test_what_is_wrong_with_a_file_within_is_found_there(deal: Shell) -> None:
    deal.own_ensemble("leaf", LEAF.replace("end", "end, model_profile: nobody"))

    done = deal.run("check", "deal", "--offline")

    assert done.returncode == 3
    assert "\n~/.config/llm-orc/ensembles/leaf.yaml:2:" in done.stdout
    assert "uses the model profile `nobody`" in done.stdout


def test_files_in_a_circle_and_too_many_levels_are_found(shell: Shell) -> None:
    for number in range(12):
        shell.own_ensemble(f"e{number}", f"name: e{number}\nagents: [{{name: a, ensemble: e{number + 1}}}]\n")
    shell.own_ensemble("e12", "name: e12\nagents: [{name: a}]\n")
    shell.own_ensemble("x", "name: x\nagents: [{name: a, ensemble: y}]\n")
    shell.own_ensemble("y", "name: y\nagents: [{name: a, ensemble: x}]\n")

    deep, circle = shell.run("check", "e0", "--offline"), shell.run("check", "x", "--offline")

    assert "more than 8 deep" in deep.stdout
    assert shell.run("check", "e4", "--offline").returncode == 0
    assert "ensembles run each other: `x → y → x`" in circle.stdout
    assert (deep.returncode, circle.returncode) == (3, 3)


def test_an_agent_whose_input_does_not_fit_fails_before_anything_starts_within(deal: Shell) -> None:
    deal.own_ensemble("legal-panel", LEGAL.replace("facts: string", "facts: integer"))

    done = deal.run("invoke", "deal", "--rehearse", "--json")

    results = json.loads(done.stdout)["results"]
    assert results["legal"]["status"] == "failed"
    assert "input `facts` must be a whole number" in results["legal"]["error"]["message"]
    assert "legal/lawyer" not in results
    assert results["report"]["status"] == "skipped"


def test_folders_are_a_part_of_names(deal: Shell) -> None:
    deal.own_ensemble("deal", DEAL.replace("./parts/market.yaml", "parts/market"))

    done = deal.run("invoke", "deal", "--rehearse", "--json")

    assert "market/analyst" in json.loads(done.stdout)["results"]


def test_a_run_goes_on_with_the_ensembles_that_it_began_with(deal: Shell, pretend: str) -> None:
    deal.talks_to("http://127.0.0.1:9")  # nobody is there
    deal.run("invoke", "deal")
    deal.talks_to(pretend)
    same = deal.run("resume", "last", "--json")
    deal.own_ensemble("leaf", LEAF.replace("end", "other"))
    deal.talks_to("http://127.0.0.1:9")
    deal.run("invoke", "deal")
    deal.own_ensemble("leaf", LEAF)
    deal.talks_to(pretend)
    other = deal.run("resume", "last", "--json")

    assert "has changed" not in same.stderr
    assert "market/leaf/end" in json.loads(same.stdout)["results"]
    assert "deal.yaml` has changed since this run began" in other.stderr
    assert "market/leaf/other" in json.loads(other.stdout)["results"]


@pytest.mark.slow
def test_rows_of_a_batch_run_them(deal: Shell) -> None:
    done = deal.run("batch", "deal", "--inputs", "-", "--rehearse", stdin="one\ntwo\n")

    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert len(rows) == 2
    assert all("market/leaf/end" in row["results"] for row in rows)


def test_a_limit_of_a_file_holds_for_what_one_agent_runs_also_when_it_is_resumed(deal: Shell) -> None:
    deal.own_ensemble("legal-panel", LEGAL.replace("name: legal-panel", "name: legal-panel\nmax_calls: 1"))

    done = deal.run("invoke", "deal", "--rehearse", "--json")
    again = deal.run("resume", "last", "--json")

    for result in (json.loads(done.stdout), json.loads(again.stdout)):
        results = result["results"]
        assert result["status"] == "completed_with_errors"
        assert results["legal/lawyer"]["status"] == "completed"
        assert results["legal/judge"]["error"]["code"] == "budget_exceeded"
        assert "ensemble `legal-panel` has made all 1 calls" in results["legal/judge"]["error"]["message"]
        assert results["legal"]["error"]["code"] == "ensemble_without_answer"
        assert "agent `judge` failed" in results["legal"]["error"]["message"]
        assert results["market/leaf/end"]["status"] == "completed"


def test_an_untrusted_file_that_runs_the_users_own_ensemble_is_no_consent_to_pay(shell: Shell) -> None:
    shell.own_ensemble("paid", "name: paid\nagents: [{name: a, provider: openai, model: gpt-5}]\n")
    shell.ensemble("clone", "name: clone\nagents: [{name: a, ensemble: paid}]\n")
    shell.environ["OPENAI_API_KEY"] = "sk-test-0000000000000000000000000000000000000000"

    own, clones = shell.run("explain", "paid"), shell.run("explain", "clone")

    assert own.returncode == 0, own.stderr
    assert clones.returncode == 4
    assert "you have not trusted its directory" in clones.stderr


def test_a_fork_asks_one_agent_within_again_and_all_that_use_its_answer(deal: Shell) -> None:
    deal.run("invoke", "deal", "--rehearse")

    forked = deal.run("runs", "fork", "last", "--from", "legal/judge", "--json")
    wrong = deal.run("runs", "fork", "last", "--from", "legal/jugde")

    results = json.loads(forked.stdout)["results"]
    assert forked.returncode == 0, forked.stderr
    assert [name for name, one in results.items() if not one["kept"]] == ["legal", "legal/judge", "report"]
    assert "Did you mean `legal/judge`?" in wrong.stderr


def test_an_answer_becomes_no_part_of_a_command_within_either(deal: Shell) -> None:
    path = deal.own_ensemble("deal", DEAL)
    script = "\n  - {name: lawyer, script: [echo, '${inputs.facts}']}"
    deal.own_ensemble(
        "legal-panel", f"name: legal-panel\ninputs: {{language: string, facts: string}}\nagents:{script}\n"
    )

    done = deal.run("check", "deal", "--offline", "--json")

    [problem] = json.loads(done.stdout)["problems"]
    assert (problem["file"], problem["line"]) == (str(path), 6)
    assert "agent `legal` gives an answer to `legal-panel`, where agent `lawyer`" in problem["message"]
    assert "becomes a part of a command" in problem["message"]


def test_a_chat_has_the_answer_of_what_runs_within(deal: Shell, pretend: str) -> None:
    deal.talks_to(pretend)

    done = deal.run("chat", "deal", stdin="Look at this.\n")

    assert done.returncode == 0, done.stderr
    assert "=== legal\n" in done.stdout
