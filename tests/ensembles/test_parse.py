from __future__ import annotations

from pathlib import Path

import pytest

from llm_orc.agents.kinds import needs_of
from llm_orc.agents.spec import AgentSpec, Source
from llm_orc.agents.work import ModelRef, ModelWork
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.ensembles.parse import load_ensemble_file, parse_ensemble_text
from llm_orc.errors import EnsembleCycle, EnsembleInvalid, Problem


def parse(text: str) -> Ensemble:
    return parse_ensemble_text(text).ensemble


def problems(text: str) -> list[Problem]:
    with pytest.raises(EnsembleInvalid) as raised:
        parse_ensemble_text(text)
    return list(raised.value.problems)


def places(text: str) -> list[tuple[int, int, str]]:
    return [(p.line, p.column, p.message) for p in problems(text)]


def one_agent(keys: str) -> str:
    return f"name: x\nagents:\n  - name: a\n    {keys}\n"


def test_an_ensemble_names_the_agent_that_answers_for_it() -> None:
    agents = "agents:\n  - name: verdict\n  - name: notes\n"

    assert parse(f"name: x\nanswer: verdict\n{agents}").answer == "verdict"
    found = problems(f"name: x\nanswer: verdct\n{agents}")
    assert [(p.line, p.column, p.message) for p in found] == [
        (2, 9, "`answer` names `verdct`, which is not an agent of this ensemble")
    ]
    assert found[0].hint == "Did you mean `verdict`?"


def test_every_key_reaches_the_ensemble() -> None:
    ensemble = parse(
        "name: panel\n"
        "description: Two voices\n"
        "default_task: Decide\n"
        "agents:\n"
        "  - name: first\n"
        "    model: some-model\n"
        "    provider: openai\n"
        "    system_prompt: Be first\n"
        "    temperature: 0\n"
        "    max_tokens: 10\n"
        "    options: {top_p: 0.5, stop: [a]}\n"
        "    timeout_seconds: 2\n"
        "    fallback_model_profile: other\n"
        "    output_format: json\n"
        "  - name: second\n"
        "    model_profile: fast\n"
        "    depends_on: [first]\n"
        "    requires: any\n"
    )

    assert ensemble == Ensemble(
        name="panel",
        description="Two voices",
        default_task="Decide",
        agents=(
            AgentSpec(
                name="first",
                work=ModelWork(
                    model=ModelRef(provider="openai", model="some-model"),
                    system_prompt="Be first",
                    temperature=0.0,
                    max_tokens=10,
                    options={"top_p": 0.5, "stop": ["a"]},
                    fallback_model_profile="other",
                    output_format="json",
                ),
                timeout_s=2.0,
            ),
            AgentSpec("second", ModelWork(ModelRef(profile="fast")), depends_on=("first",), requires="any"),
        ),
    )


@pytest.mark.parametrize(
    ("keys", "model"),
    [
        ("system_prompt: hi", ModelRef(profile="default")),
        ("model_profile:", ModelRef(profile="default")),
        ("model_profile: fast", ModelRef(profile="fast")),
        ("provider: ollama", ModelRef(provider="ollama")),
        ("{model: m, provider: ollama}", ModelRef(provider="ollama", model="m")),
        ("model: anthropic-claude-pro-max", ModelRef(provider="anthropic-claude-pro-max")),
        ("model: openai-compatible/lab", ModelRef(provider="openai-compatible/lab")),
        ("{model: ollama, provider: openai}", ModelRef(provider="openai", model="ollama")),
        ("model: some-model", ModelRef(model="some-model")),
    ],
)
def test_the_model_is_named_in_any_of_its_forms(keys: str, model: ModelRef) -> None:
    keys = keys.strip("{}").replace(", ", "\n    ")

    [work] = needs_of(parse(one_agent(keys)).agents[0].work).models
    assert work.model == model


@pytest.mark.parametrize(
    "written", ["[b, c]", "[b, c, b]", "[{agent_name: b}, {agent_name: c}]", "[b, {agent_name: c}]"]
)
def test_dependencies_are_names_or_mappings_of_earlier_releases(written: str) -> None:
    ensemble = parse(f"name: x\nagents: [{{name: a, depends_on: {written}}}, {{name: b}}, {{name: c}}]")

    assert ensemble.agent("a").depends_on == ("b", "c")


def test_a_single_dependency_needs_no_list() -> None:
    assert parse("name: x\nagents: [{name: a, depends_on: b}, {name: b}]").agent("a").depends_on == ("b",)


@pytest.mark.parametrize("key", ["default_task", "task"])
def test_the_task_has_an_older_name(key: str) -> None:
    assert parse(f"name: x\n{key}: Go\nagents: [{{name: a}}]").default_task == "Go"


@pytest.mark.parametrize("name", ["a", "Financial Analyst", "légal", "हिन्दी", "财务", "v1.2-b_c", "_x", "007a"])
def test_names_may_be_of_any_script(name: str) -> None:
    assert parse(f"name: x\nagents: [{{name: '{name}'}}]").agents[0].name == name


@pytest.mark.parametrize("name", ["''", "' a'", "'a '", "'a/b'", '"a\\nb"', "'-a'", f"'{'a' * 129}'", "5", "[a]"])
def test_other_names_are_refused(name: str) -> None:
    [(line, column, message)] = places(f"name: x\nagents:\n- name: {name}\n")

    assert (line, column) == (3, 9)
    assert message.startswith("`name` must be ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (0, 0, "the file is empty; an ensemble has a `name` and `agents`")),
        ("[a]", (1, 1, "an ensemble is a mapping with `name` and `agents`, not a list")),
        ("agents: [{name: a}]", (1, 1, "the ensemble has no `name`")),
        ("name: x", (1, 1, "the ensemble has no `agents`")),
        ("name: x\nagents: []", (2, 9, "the ensemble has no `agents`")),
        ("name: x\nagents:", (2, 8, "the ensemble has no `agents`")),
        ("name: x\nagents: {a: 1}", (2, 9, "`agents` must be a list, not a mapping")),
        ("name: x\nagents: [a]", (2, 10, "an agent must be a mapping, not text")),
        ("name: x\nagents: [{provider: ollama}]", (2, 10, "agent number 1 has no `name`")),
        ("name: a/b\nagents: [{name: a}]", (1, 7, "`name` must be one line without `/` and `\\`, without surrounding spaces or a leading `~`")),
        ("name: x\ntask: a\ndefault_task: b\nagents: [{name: a}]", (2, 1, "`task` is the older name of `default_task`; keep one")),
        (one_agent("temperature: hot"), (4, 18, "`temperature` must be a number, not text")),
        (one_agent("temperature: .nan"), (4, 18, "`temperature` must be a finite number")),
        (one_agent("max_tokens: 1.5"), (4, 17, "`max_tokens` must be a whole number, not 1.5")),
        (one_agent("max_tokens: true"), (4, 17, "`max_tokens` must be a whole number, not true or false")),
        (one_agent("timeout_seconds: 0"), (4, 22, "`timeout_seconds` must be more than 0")),
        (one_agent("options: {a: [.inf]}"), (4, 14, "`options` must be free of `.inf` and `.nan`, which JSON can't carry")),
        (one_agent("requires: most"), (4, 15, "`requires` must be `all`, `any`, `none` or a whole number")),
        (one_agent("output_format: xml"), (4, 20, "`output_format` must be `text` or `json`")),
        (one_agent("system_prompt: 5"), (4, 20, "`system_prompt` must be text, not a number")),
        (one_agent("depends_on: [5]"), (4, 17, "`depends_on` must be a list of agents' names, not of a number")),
        (one_agent("depends_on: [b]"), (4, 18, "agent `a` depends on `b`, which is not an agent of this ensemble")),
    ],
)  # fmt: skip
def test_one_thing_wrong_is_one_problem_at_its_place(text: str, expected: tuple[int, int, str]) -> None:
    assert places(text) == [expected]


def test_every_problem_comes_at_once_in_the_order_of_the_file() -> None:
    found = problems(
        "name: x\n"
        "agents:\n"
        "  - name: writer\n"
        "    modle: m\n"
        "    depends_on: [editr]\n"
        "  - name: editor\n"
        "    max_tokens: many\n"
        "  - name: writer\n"
        "  - name: chair\n"
        "    model_profile: fast\n"
        "    model: m\n"
        "descripton: y\n"
    )

    assert [(p.line, p.message, p.hint) for p in found] == [
        (4, "agent `writer` has no key `modle`", "Did you mean `model`?"),
        (5, "agent `writer` depends on `editr`, which is not an agent of this ensemble", "Did you mean `editor`?"),
        (7, "`max_tokens` must be a whole number, not text", None),
        (8, "two agents are called `writer`, the first on line 3", "Give each agent a different name."),
        (11, "agent `chair` has both `model_profile` and `model`", "Keep the profile, or `model` and `provider`."),
        (12, "the ensemble has no key `descripton`", "Did you mean `description`?"),
    ]


def test_a_broken_agent_is_still_there_for_those_that_depend_on_it() -> None:
    found = problems("name: x\nagents:\n- {name: a, temperature: x}\n- {name: b, depends_on: [a]}\n")

    assert [p.line for p in found] == [3]


@pytest.mark.parametrize(
    ("agents", "cycle"),
    [
        ("{name: a, depends_on: [a]}", "a → a"),
        ("{name: a, depends_on: [b]}, {name: b, depends_on: [a]}", "a → b → a"),
        ("{name: z}, {name: a, depends_on: [z, c]}, {name: b, depends_on: [a]}, {name: c, depends_on: [b]}", "a → c → b → a"),
    ],
)  # fmt: skip
def test_agents_that_wait_for_each_other_are_shown_as_a_circle(agents: str, cycle: str) -> None:
    with pytest.raises(EnsembleCycle) as raised:
        parse_ensemble_text(f"name: x\nagents: [{agents}]")

    assert raised.value.cycle == tuple(cycle.split(" → "))
    assert f"`{cycle}`" in str(raised.value)


def test_two_circles_are_two_problems() -> None:
    found = problems(
        "name: x\n"
        "agents:\n"
        "- {name: a, depends_on: [b]}\n"
        "- {name: b, depends_on: [a]}\n"
        "- {name: c, depends_on: [c]}\n"
    )

    assert [p.line for p in found] == [3, 5]


def test_circles_beside_other_problems_come_with_them_and_are_no_cycle_error() -> None:
    with pytest.raises(EnsembleInvalid) as raised:
        parse_ensemble_text(
            "name: x\nagents: [{name: a, depends_on: [b]}, {name: b, depends_on: [a], max_tokens: 0}]"
        )

    assert not isinstance(raised.value, EnsembleCycle)
    assert "a → b → a" in str(raised.value)
    assert "max_tokens" in str(raised.value)


def test_the_message_has_one_line_for_each_problem_with_file_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("name: x\nagents:\n- nam: a\n- 7\n")

    with pytest.raises(EnsembleInvalid) as raised:
        load_ensemble_file(path)

    assert str(raised.value).splitlines()[1:] == [
        f"{path}:3:3: agent number 1 has no key `nam` (Did you mean `name`?)",
        f"{path}:4:3: an agent must be a mapping, not a number",
    ]


def test_a_loaded_file_is_the_source(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("name: x\nagents: [{name: a}]")

    parsed = load_ensemble_file(path, "user")

    assert parsed.ensemble.source == Source("user", str(path))


def test_values_shared_by_alias_and_merge_are_fine() -> None:
    ensemble = parse(
        "name: x\n"
        "agents:\n"
        "- &base {name: a, model_profile: fast, options: &o {seed: 1}}\n"
        "- {<<: *base, name: b, depends_on: [a], options: *o}\n"
    )

    assert ensemble.agent("b").work == ModelWork(ModelRef(profile="fast"), options={"seed": 1})


def _large(agents: int) -> str:
    lines = [f"- {{name: a{i}, depends_on: [a{i - 1}], system_prompt: 'number {i}'}}" for i in range(1, agents)]
    return "\n".join(["name: x", "agents:", "- name: a0", *lines])


def test_a_circle_of_2000_agents_is_found() -> None:
    with pytest.raises(EnsembleCycle) as raised:
        parse_ensemble_text(_large(2000).replace("- name: a0", "- {name: a0, depends_on: [a1999]}"))

    assert len(raised.value.cycle) == 2001
    assert len(str(raised.value)) < 1000


def test_thousands_of_problems_are_all_found() -> None:
    text = "\n".join(
        ["name: x", "agents:", *(f"- {{name: a{i}, depends_on: [b{i}], modle: m}}" for i in range(1000))]
    )

    found = problems(text)

    assert len(found) == 2000


@pytest.mark.parametrize("key", ["validation", "topaz_skill", "serves", "output_schema", "coordinator", "x-team"])
def test_a_key_of_another_release_is_ignored_and_said(key: str) -> None:
    parsed = parse_ensemble_text(f"name: panel\n{key}: {{a: 1}}\nagents: [{{name: a}}]\n")

    assert [(p.line, p.column) for p in parsed.ignored] == [(2, 1)]
    assert f"`{key}`" in parsed.ignored[0].message
    assert [spec.name for spec in parsed.ensemble.agents] == ["a"]


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("descripton", "description"),
        ("Description", "description"),
        ("defualt_task", "default_task"),
        ("default-task", "default_task"),
        ("maxcost", "max_cost"),
        ("max_call", "max_calls"),
        ("conversations", "conversation"),
        ("agent", "agents"),
        ("default", "default_task"),
    ],
)
def test_a_slip_of_a_known_key_is_a_problem(slip: str, meant: str) -> None:
    with pytest.raises(EnsembleInvalid) as refused:
        parse_ensemble_text(f"name: panel\nagents: [{{name: a}}]\n{slip}: x\n")

    assert f"has no key `{slip}`" in refused.value.problems[0].message
    assert f"`{meant}`" in (refused.value.problems[0].hint or "")


def test_a_limit_of_tokens_that_an_ensemble_does_not_have_is_not_ignored() -> None:
    (problem,) = problems("name: panel\nmax_tokens: 100\nagents: [{name: a}]\n")

    assert (problem.line, problem.message) == (
        2,
        "`max_tokens` bounds one answer of an agent, and an ensemble has none",
    )
    assert "`max_total_tokens`" in (problem.hint or "")


def test_an_agents_unknown_key_is_a_problem() -> None:
    """It may decide what the agent does, and what that costs."""
    with pytest.raises(EnsembleInvalid, match="has no key `wibble`"):
        parse_ensemble_text("name: panel\nagents: [{name: a, wibble: 1}]\n")


@pytest.mark.parametrize(
    "written", ["${MODEL}", "$MODEL", "%MODEL%", "{{ model }}", "{env:MODEL}", "$(cat model)"]
)
def test_a_placeholder_is_filled_in_by_nobody_and_refused(written: str) -> None:
    with pytest.raises(EnsembleInvalid) as refused:
        parse_ensemble_text(f"name: panel\nagents:\n- name: a\n  provider: openai\n  model: '{written}'\n")

    (problem,) = refused.value.problems
    assert (problem.line, problem.column) == (5, 10)
    assert f"`model` has `{written}`" in problem.message


def test_prompts_are_as_they_are_written() -> None:
    text = "Explain $${HOME}, $PATH, $(pwd), %TEMP%, {x} and {{ braces }}."
    ensemble = parse_ensemble_text(
        f"name: p\ntask: '{text}'\nagents: [{{name: a, system_prompt: '{text}'}}]\n"
    ).ensemble

    assert (ensemble.default_task, ensemble.agents[0].work) == (text, ModelWork(system_prompt=text))
