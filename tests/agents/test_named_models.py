"""Models that are named for a run: which one counts where several are named, and what an unknown name leads to."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.agents.choice import NamedModel
from llm_orc.agents.named_models import NamedModels
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.work import ModelRef, ModelWork
from llm_orc.app.access.choices import choices_of
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import InputError, LlmOrcError, ProfileNotFound, SettingsError
from llm_orc.settings.load import load_settings
from llm_orc.settings.model import Settings
from llm_orc.storage.paths import Paths

CONFIG = """\
model_profiles:
  lawyer: {provider: ollama, model: own, system_prompt: You are a lawyer., fallback_model_profile: spare}
  fast: {provider: ollama, model: fast}
  poet: {provider: ollama, model: poet, system_prompt: You are a poet., fallback_model_profile: fast}
  spare: {provider: ollama, model: spare}
"""
PAIR = Ensemble(
    "pair",
    (
        AgentSpec("one", ModelWork(ModelRef(profile="lawyer"))),
        AgentSpec("two", ModelWork(ModelRef(provider="ollama", model="own"), fallback_model_profile="spare")),
    ),
)


def settings_of(root: Path, text: str = CONFIG, **environ: str) -> Settings:
    folder = root / "config"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    return load_settings(Paths(folder, root / "state", root / "cache"), root, environ, home=root)


def said(
    model: str | None = None, profile: str | None = None, agents: dict[str, str] | None = None
) -> NamedModels:
    return NamedModels(
        None if model is None else NamedModel(model, "--model"),
        None if profile is None else NamedModel(profile, "--profile"),
        {name: NamedModel(text, "--agent-model") for name, text in (agents or {}).items()},
    )


def models(settings: Settings, named: NamedModels) -> dict[str, list[str | None]]:
    return {agent: [one.model for one in found] for agent, found in choices_of(PAIR, settings, named).items()}


_MODEL = st.none() | st.sampled_from(["ollama/m1", "ollama/m2"])
_PROFILE = st.none() | st.sampled_from(["fast", "spare"])


@given(st.data())
def test_what_is_said_of_an_agent_comes_first_then_the_command_the_variable_the_file_and_the_ensemble(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    of_agent = data.draw(_MODEL)
    # In each place one of the two can be named, or none.
    places = [data.draw(st.tuples(_MODEL, st.none()) | st.tuples(st.none(), _PROFILE)) for _ in range(3)]
    (command, variable, file) = places
    environ = {
        name: text
        for name, text in zip(("LLM_ORC_MODEL", "LLM_ORC_PROFILE"), variable, strict=True)
        if text is not None
    }
    lines = [
        f"  {key}: {text}\n" for key, text in zip(("model", "profile"), file, strict=True) if text is not None
    ]
    config = CONFIG + ("runs:\n" + "".join(lines) if lines else "")
    settings = settings_of(tmp_path_factory.mktemp("home"), config, **environ)

    found = models(settings, said(command[0], command[1], {} if of_agent is None else {"one": of_agent}))

    first = next((text for place in places for text in place if text is not None), None)
    expected_two = first or "own"
    expected_one = of_agent or first or "own"
    assert found["one"][0] == expected_one.removeprefix("ollama/")
    assert found["two"][0] == expected_two.removeprefix("ollama/")
    assert len(found["two"]) == (2 if first is None else 1)  # the ensemble's fallback is for its own model


def test_fallbacks_are_those_of_the_profile_that_was_named(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)

    assert models(settings, said("poet")) == {"one": ["poet", "fast"], "two": ["poet", "fast"]}
    assert models(settings, said("ollama")) == {"one": [None], "two": [None]}


def test_an_agent_keeps_its_role_with_another_model(tmp_path: Path) -> None:
    found = choices_of(PAIR, settings_of(tmp_path), said("poet"))

    assert {choice.system_prompt for choice in found["one"]} == {"You are a lawyer."}
    assert found["two"][0].system_prompt == "You are a poet."  # it has no role of its own


def test_each_choice_says_what_named_it(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, CONFIG, LLM_ORC_PROFILE="fast")

    found = choices_of(PAIR, settings, said(agents={"two": "ollama/x"}))

    assert found["one"][0].instead == NamedModel("fast", "LLM_ORC_PROFILE", is_standing=True)
    assert found["two"][0].instead == NamedModel("ollama/x", "--agent-model")
    assert choices_of(PAIR, settings_of(tmp_path))["one"][0].instead is None


def test_what_was_typed_for_an_agent_in_a_chat_comes_before_the_variable(tmp_path: Path) -> None:
    typed = ModelWork(ModelRef(provider="ollama", model="typed", is_typed=True))
    chat = Ensemble("chat", (AgentSpec("a", typed),))

    found = choices_of(chat, settings_of(tmp_path, CONFIG, LLM_ORC_MODEL="fast"))

    assert found["a"][0].model == "typed"


@pytest.mark.parametrize(
    ("named", "kind", "message", "hint"),
    [
        (said("fsat"), SettingsError, "--model: `fsat` is neither a model profile nor a provider", "`fast`"),
        (said("olama/x"), SettingsError, "--model: `olama/x` is neither", "`ollama/x`"),
        (
            said(profile="ollama"),
            ProfileNotFound,
            "--profile: no model profile is called `ollama`",
            "list-profiles",
        ),
        (said(agents={"oen": "fast"}), InputError, "`pair` has no agent `oen` that asks a model", "`one`"),
        (said(agents={"one": "fsat"}), SettingsError, "--agent-model: `fsat` is neither", "`fast`"),
    ],
)
def test_an_unknown_name_is_an_error_with_the_nearest_ones(
    tmp_path: Path, named: NamedModels, kind: type[LlmOrcError], message: str, hint: str
) -> None:
    with pytest.raises(kind) as caught:
        choices_of(PAIR, settings_of(tmp_path), named)

    assert caught.value.message.startswith(message)
    assert hint in (caught.value.hint or "")


def test_two_variables_that_name_the_model_of_every_agent_are_an_error_unless_the_command_names_one(
    tmp_path: Path,
) -> None:
    settings = settings_of(tmp_path, CONFIG, LLM_ORC_MODEL="ollama/x", LLM_ORC_PROFILE="fast")

    with pytest.raises(SettingsError, match="LLM_ORC_MODEL and LLM_ORC_PROFILE both name"):
        choices_of(PAIR, settings)
    assert models(settings, said("spare"))["one"] == ["spare"]


def test_a_variable_overrides_the_other_key_in_the_file(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, CONFIG + "runs: {profile: spare}\n", LLM_ORC_MODEL="fast")

    assert models(settings, said())["one"] == ["fast"]
