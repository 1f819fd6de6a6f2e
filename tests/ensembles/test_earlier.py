"""Keys of earlier releases: read in their older spelling, ignored with a notice, or refused with the way out."""

from __future__ import annotations

import pytest

from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.work import ModelWork
from llm_orc.ensembles.parse import parse_ensemble_text
from llm_orc.errors import EnsembleInvalid

HEAD = "name: x\ndescription: d\nagents:\n  - {name: a, model_profile: default}\n"


def agent(keys: str) -> AgentSpec:
    return parse_ensemble_text(f"{HEAD}  - {{name: b, model_profile: default, {keys}}}\n").ensemble.agents[1]


def refused(keys: str) -> list[tuple[int, str, str | None]]:
    with pytest.raises(EnsembleInvalid) as raised:
        agent(keys)
    return [(p.line, p.message, p.hint) for p in raised.value.problems]


def test_older_spellings_are_read() -> None:
    assert agent("depends_on: [a], on_dependency_failure: skip").requires == "any"
    assert agent("depends_on: [a], on_dependency_failure: run").requires == "none"
    assert agent("depends_on: [a], on_dependency_failure: run").handles_failure
    assert agent("depends_on: [a], input_scope: dependencies").sees == "dependencies"
    assert agent("depends_on: [{agent_name: a}], input_key: topics").input_key == "topics"


@pytest.mark.parametrize(
    ("keys", "message", "hint"),
    [
        (
            "on_dependency_failure: run",
            "agent `b` has `on_dependency_failure`, and depends on nothing",
            None,
        ),
        (
            "depends_on: [a], requires: all, on_dependency_failure: run",
            "agent `b` has both `requires` and `on_dependency_failure`, its older spelling",
            "Keep `requires`.",
        ),
        (
            "depends_on: [a], sees: task, input_scope: dependencies",
            "agent `b` has both `sees` and `input_scope`, its older spelling",
            "Keep `sees`.",
        ),
        (
            "input_key: topics",
            "agent `b` has `input_key`, and depends on nothing",
            "It is a field of what the first agent of `depends_on` answers.",
        ),
        (
            "depends_on: [a], input_key: topics, prompt: Well",
            "agent `b` has both `input_key` and `prompt`",
            "Each of them says what it is given: keep one.",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(keys: str, message: str, hint: str | None) -> None:
    assert refused(keys) == [(5, message, hint)]


def test_keys_that_say_nothing_here_are_notices_with_their_places() -> None:
    written = (
        "topaz_skill: code\nserves: seat\noutput_substrate: artifact\nvalidation:\n  semantic: []\nowner: me\n"
    )

    parsed = parse_ensemble_text(written + HEAD)

    assert [(p.line, p.message) for p in parsed.ignored] == [
        *(
            (line, f"the ensemble has the key `{key}` of earlier releases, which says nothing here and is ignored")
            for line, key in enumerate(("topaz_skill", "serves", "output_substrate", "validation"), 1)
        ),
        (6, "the ensemble has the key `owner`, which this release does not know and ignores"),
    ]
    assert parsed.ignored[3].hint == "A run is checked by a condition on its answers: `fails_when`."


def test_an_unknown_key_of_an_agent_is_refused() -> None:
    assert refused("depends_on: [a], input_keys: t")[0][1:] == (
        "agent `b` has no key `input_keys`",
        "Did you mean `input_key` or `inputs` or `input_scope`?",
    )


OLDER_AGENTS = [
    "{name: b, model_profile: default, system_prompt: Be short., depends_on: [a], temperature: 0.1}",
    "{name: b, model: m, provider: ollama, depends_on: [a], output_format: json, options: {top_p: 0.5}}",
    "{name: b, script: echo hello, depends_on: [a], parameters: {x: 1}}",
    "{name: b, ensemble: other, depends_on: [a], input_key: x}",
    "{name: b, dispatch: '${a.target}', depends_on: [a], timeout_seconds: 9}",
]


@pytest.mark.parametrize("written", OLDER_AGENTS)
def test_a_file_that_an_earlier_release_would_read_needs_any_answer(written: str) -> None:
    ensemble = parse_ensemble_text(f"{HEAD}  - {written}\n").ensemble

    assert [spec.requires for spec in ensemble.agents] == ["all", "any"]


@pytest.mark.parametrize(
    ("head", "written"),
    [
        (HEAD.replace("description: d\n", ""), OLDER_AGENTS[0]),
        (HEAD.replace(", model_profile: default", ""), OLDER_AGENTS[0]),
        (f"max_cost: 1\n{HEAD}", OLDER_AGENTS[0]),
        (HEAD, "{name: b, model_profile: default, depends_on: [a], prompt: 'Judge ${a}'}"),
        (HEAD, "{name: b, script: [wc, -l], depends_on: [a]}"),
        (HEAD, "{name: b, script: echo hello, shell: true, depends_on: [a]}"),
        (HEAD, "{name: b, ensemble: other, depends_on: [a], task: Look}"),
        (HEAD, "{name: b, dispatch: {by: '${a.target}', to: {x: y}}, depends_on: [a]}"),
        (HEAD, "{name: b, depends_on: [a]}"),
    ],
)
def test_what_only_this_release_reads_makes_it_a_file_that_needs_all_answers(head: str, written: str) -> None:
    ensemble = parse_ensemble_text(f"{head}  - {written}\n").ensemble

    assert [spec.requires for spec in ensemble.agents] == ["all", "all"]


def test_what_names_nothing_in_a_system_prompt_is_text_with_a_notice() -> None:
    written = "{name: coder, model_profile: default, system_prompt: 'Use `${HOME}` and ${user.name}, ${', depends_on: [a]}"

    parsed = parse_ensemble_text(f"{HEAD}  - {written}\n")

    spec = parsed.ensemble.agents[1]
    assert isinstance(spec.work, ModelWork)
    assert spec.work.system_prompt == "Use `$${HOME}` and $${user.name}, $${"
    assert [(p.line, p.message) for p in parsed.ignored] == [
        (5, "agent `coder` has `${` in its system prompt, which is text, as in earlier releases")
    ]


@pytest.mark.parametrize("written", ["${analyst}", "${analyst.score}", "${task}", "${anaylst}", "${inputs.x}"])
def test_what_names_an_agent_in_a_system_prompt_is_a_reference(written: str) -> None:
    agents = "  - {name: analyst, model_profile: default}\n"
    agents += f"  - {{name: b, model_profile: default, depends_on: [a], system_prompt: 'Judge {written}'}}\n"
    text = HEAD + agents

    if written in {"${anaylst}", "${inputs.x}"}:
        with pytest.raises(EnsembleInvalid):
            parse_ensemble_text(text)
    else:
        parsed = parse_ensemble_text(text)
        assert parsed.ignored == ()
        assert parsed.ensemble.agents[2].requires == "all"
