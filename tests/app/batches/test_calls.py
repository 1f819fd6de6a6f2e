"""What a worker takes from a batch that others have submitted: models and roles, never where its keys go."""

from __future__ import annotations

import pytest

from llm_orc.agents.choice import ModelChoice
from llm_orc.agents.spec import AgentSpec
from llm_orc.app.batches.calls import refuse_foreign_places
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import NotTrusted
from llm_orc.runs.recipe import Recipe
from tests.app.conftest import Workspace

HOUSE = {"provider": "openai", "model": "m", "base_url": "https://house.example/v1", "api_key_env": "HOUSE_KEY"}


def recipe(**choice: str) -> Recipe:
    chosen = ModelChoice("openai", "m", "user", profile="house", **choice)  # type: ignore[arg-type]
    return Recipe(Ensemble("e", (AgentSpec("a"),)), "", {"a": (chosen,)})


@pytest.fixture
def place(workspace: Workspace) -> Workspace:
    workspace.settings({"model_profiles": {"house": HOUSE}})
    return workspace


@pytest.mark.parametrize(
    "choice",
    [
        {"base_url": "https://elsewhere.example/v1", "api_key_env": "HOUSE_KEY"},
        {"base_url": "https://house.example/v1", "api_key_env": "ANTHROPIC_API_KEY"},
        {"base_url": "https://house.example/v1", "api_key_env": "HOUSE_KEY", "api_key_file": "/etc/shadow"},
    ],
)
def test_another_address_or_place_of_a_key_than_its_own_is_refused(
    place: Workspace, choice: dict[str, str]
) -> None:
    with pytest.raises(NotTrusted, match="agent `a` of the batch names an address or a key's place"):
        refuse_foreign_places(place.app().settings, recipe(**choice))


def test_its_own_profile_and_one_without_any_place_are_taken(place: Workspace) -> None:
    refuse_foreign_places(place.app().settings, recipe(base_url=HOUSE["base_url"], api_key_env="HOUSE_KEY"))
    refuse_foreign_places(place.app().settings, recipe())
