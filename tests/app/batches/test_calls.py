"""What a worker takes from a batch that others have submitted: models and roles, but not where its keys go."""

from __future__ import annotations

import pytest

from llm_orc.agents.choice import ModelChoice
from llm_orc.agents.spec import AgentSpec
from llm_orc.app.projects.foreign import refuse_foreign_endpoints
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import NotTrusted
from llm_orc.runs.recipe import Recipe
from tests.app.conftest import Workspace

HOUSE = {"provider": "openai", "model": "m", "base_url": "https://house.example/v1", "api_key_env": "HOUSE_KEY"}


def recipe(**choice: str) -> Recipe:
    chosen = ModelChoice("openai", "m", "user", profile="house", **choice)  # type: ignore[arg-type]
    return Recipe(Ensemble("e", (AgentSpec("a"),)), "", {"a": (chosen,)})


@pytest.fixture
def house(workspace: Workspace) -> Workspace:
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
def test_an_address_or_key_location_of_others_is_refused(house: Workspace, choice: dict[str, str]) -> None:
    with pytest.raises(NotTrusted, match="agent `a` of the batch names an address or a key's source"):
        refuse_foreign_endpoints(house.app().settings, recipe(**choice))


def test_its_own_profile_and_one_without_locations_are_accepted(house: Workspace) -> None:
    refuse_foreign_endpoints(house.app().settings, recipe(base_url=HOUSE["base_url"], api_key_env="HOUSE_KEY"))
    refuse_foreign_endpoints(house.app().settings, recipe())
