"""Which models an agent may use, in order, and whose words each of them is."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from llm_orc.agents.choice import ModelChoice, Untrusted, choose_models
from llm_orc.agents.work import ModelRef, ModelWork
from llm_orc.errors import SettingsError
from llm_orc.settings.model import ModelProfile, Origin

USER = Origin("user")
PROFILES = {
    "default": ModelProfile("default", USER),
    "cheap": ModelProfile("cheap", USER, provider="ollama", model="small", fallback_model_profile="dear"),
    "dear": ModelProfile(
        "dear", USER, provider="openai", model="large", temperature=0.2, options={"a": 1, "b": 1}
    ),
    "circle": ModelProfile("circle", USER, provider="ollama", model="x", fallback_model_profile="circle"),
    "oldest-form": ModelProfile("oldest-form", USER, model="anthropic-api"),
    "half": ModelProfile("half", USER, model="some-model"),
    "first": ModelProfile("first", USER, provider="ollama", model="1", fallback_model_profile="second"),
    "second": ModelProfile("second", USER, provider="ollama", model="2", fallback_model_profile="third"),
    "third": ModelProfile("third", USER, provider="openai", model="3"),
    "patient": ModelProfile("patient", USER, provider="ollama", model="x", timeout_s=300, max_tokens=500),
}


def choose(
    work: ModelWork,
    untrusted: Collection[str] = (),
    ensemble: str | None = None,
    timeout_s: float | None = None,
) -> tuple[ModelChoice, ...]:
    words = Untrusted(lambda key: f"config.yaml: {key}" if key in untrusted else None, ensemble)
    return choose_models(work, timeout_s, PROFILES.__getitem__, words)


def named(choices: tuple[ModelChoice, ...]) -> list[tuple[str | None, str | None, str]]:
    return [(c.provider, c.model, c.named_by) for c in choices]


def test_an_agent_that_names_nothing_takes_the_profile_default() -> None:
    assert named(choose(ModelWork())) == [(None, None, "nobody")]


def test_an_agents_own_provider_is_the_ensembles_choice() -> None:
    assert named(choose(ModelWork(ModelRef(provider="openai", model="m")))) == [("openai", "m", "ensemble")]


def test_a_profiles_fallbacks_follow_in_order() -> None:
    assert named(choose(ModelWork(ModelRef(profile="cheap")))) == [
        ("ollama", "small", "user"),
        ("openai", "large", "user"),
    ]


def test_the_agents_own_fallback_wins_over_its_profiles() -> None:
    choices = choose(ModelWork(ModelRef(profile="cheap"), fallback_model_profile="circle"))

    assert named(choices) == [("ollama", "small", "user"), ("ollama", "x", "user")]


def test_what_the_agent_says_wins_over_its_profile() -> None:
    work = ModelWork(ModelRef(profile="dear"), temperature=0.9, options={"b": 2}, system_prompt="role")

    [choice] = choose(work)

    assert (choice.temperature, choice.options, choice.system_prompt) == (0.9, {"a": 1, "b": 2}, "role")


def test_the_oldest_form_names_a_provider_in_the_models_place() -> None:
    assert named(choose(ModelWork(ModelRef(profile="oldest-form")))) == [("anthropic-api", None, "user")]


def test_a_profile_with_a_model_of_no_provider_is_an_error_that_lists_the_providers() -> None:
    with pytest.raises(SettingsError, match="half") as caught:
        choose(ModelWork(ModelRef(profile="half")))

    assert "ollama" in (caught.value.hint or "")


@pytest.mark.parametrize("key", ["provider", "model"])
def test_a_provider_that_an_untrusted_project_names_is_the_projects_choice(key: str) -> None:
    choices = choose(ModelWork(ModelRef(profile="dear")), {f"model_profiles.dear.{key}"})

    assert [c.named_by for c in choices] == ["project"]


def test_a_fallback_that_an_untrusted_project_ties_on_is_the_projects_choice() -> None:
    choices = choose(ModelWork(ModelRef(profile="cheap")), {"model_profiles.cheap.fallback_model_profile"})

    assert [c.named_by for c in choices] == ["user", "project"]


FALLBACK = "model_profiles.{}.fallback_model_profile"


@pytest.mark.parametrize(
    ("untrusted", "expected"),
    [
        (set(), ["user", "user", "user"]),
        ({FALLBACK.format("first")}, ["user", "project", "project"]),
        ({FALLBACK.format("second")}, ["user", "user", "project"]),
        ({"model_profiles.first.provider"}, ["project", "user", "user"]),
        ({"model_profiles.second.auth_method"}, ["user", "project", "user"]),
    ],
)
def test_whatever_an_untrusted_fallback_leads_to_is_the_projects_choice(
    untrusted: set[str], expected: list[str]
) -> None:
    choices = choose(ModelWork(ModelRef(profile="first")), untrusted)

    assert [c.named_by for c in choices] == expected
    assert [c.named_in for c in choices] == [
        f"config.yaml: {next(iter(untrusted))}" if by == "project" else None for by in expected
    ]


def test_the_first_untrusted_word_of_a_chain_is_the_one_that_is_named() -> None:
    both = {FALLBACK.format("first"), FALLBACK.format("second")}

    choices = choose(ModelWork(ModelRef(profile="first")), both)

    assert [c.named_in for c in choices] == [None, *[f"config.yaml: {FALLBACK.format('first')}"] * 2]


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        (ModelWork(), [None]),  # names nothing: the profile `default`, which is the user's
        (ModelWork(ModelRef(profile="default")), [None]),
        (ModelWork(ModelRef(profile="first")), ["clone.yaml"] * 3),
        (ModelWork(ModelRef(provider="openai", model="m")), ["clone.yaml"]),
        (ModelWork(fallback_model_profile="second"), [None, "clone.yaml", "clone.yaml"]),
        (ModelWork(auth_method="claude-cli"), ["clone.yaml"]),
    ],
)
def test_whatever_an_untrusted_ensemble_names_is_its_choice(work: ModelWork, expected: list[str | None]) -> None:
    choices = choose(work, ensemble="clone.yaml")

    assert [c.named_in for c in choices] == expected
    assert [c.named_by == "project" for c in choices] == [file is not None for file in expected]


def test_the_place_that_names_a_model_comes_before_the_ensemble_that_led_to_it() -> None:
    choices = choose(
        ModelWork(ModelRef(profile="first")), {"model_profiles.first.provider"}, ensemble="clone.yaml"
    )

    assert [c.named_in for c in choices] == [
        "config.yaml: model_profiles.first.provider",
        "clone.yaml",
        "clone.yaml",
    ]


def test_a_model_that_was_typed_is_the_users_choice_also_with_an_untrusted_ensemble() -> None:
    [typed] = choose(ModelWork(ModelRef(provider="openai", model="m", is_typed=True)), ensemble="clone.yaml")

    assert (typed.named_by, typed.named_in) == ("ensemble", None)


def test_a_profiles_limits_hold_where_the_agent_sets_none() -> None:
    [choice] = choose(ModelWork(ModelRef(profile="patient")))

    assert (choice.timeout_s, choice.max_tokens) == (300, 500)


def test_an_agents_own_limits_win_over_its_profiles() -> None:
    [choice] = choose(ModelWork(ModelRef(profile="patient"), max_tokens=900), timeout_s=400)

    assert (choice.timeout_s, choice.max_tokens) == (400, 900)


@pytest.mark.parametrize(
    ("timeout_s", "max_tokens", "expected"),
    [
        (None, None, (300, 500)),
        (20, 100, (20, 100)),
        (300, 500, (300, 500)),
        (301, 501, (300, 500)),
    ],
)
def test_an_untrusted_ensemble_can_only_shorten_what_a_profile_allows(
    timeout_s: float | None, max_tokens: int | None, expected: tuple[float, int]
) -> None:
    work = ModelWork(ModelRef(profile="patient"), max_tokens=max_tokens)

    [choice] = choose(work, ensemble="clone.yaml", timeout_s=timeout_s)

    assert (choice.timeout_s, choice.max_tokens) == expected


@pytest.mark.parametrize(("max_tokens", "expected"), [(8192, 8192), (8193, None), (None, None)])
def test_a_profile_without_a_limit_gives_an_untrusted_ensemble_no_longer_answers_than_one_that_asks_for_none(
    max_tokens: int | None, expected: int | None
) -> None:
    work = ModelWork(ModelRef(profile="third"), max_tokens=max_tokens)

    assert choose(work, ensemble="clone.yaml")[0].max_tokens == expected
    assert choose(work, {"model_profiles.third"}, ensemble="clone.yaml")[0].max_tokens == max_tokens


def test_a_value_of_zero_is_a_value() -> None:
    [choice] = choose(ModelWork(ModelRef(profile="dear"), temperature=0.0, system_prompt=""))

    assert (choice.temperature, choice.system_prompt) == (0.0, "")


def test_an_agent_with_no_profile_has_its_own_timeout() -> None:
    [choice] = choose(ModelWork(ModelRef(provider="openai", model="m")), timeout_s=7)

    assert choice.timeout_s == 7
