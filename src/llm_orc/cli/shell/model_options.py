"""The options that name other models for one run: `--model`, `--profile` and `--agent-model`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict, TypeVar

import click

from llm_orc.cli.shell.arguments import AgentModel, ModelName, ProfileName
from llm_orc.cli.shell.usage import UsageMistake

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.agents.named_models import NamedModels

Decorated = TypeVar("Decorated", bound="Callable[..., object]")


def _by_agent(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Read `AGENT=MODEL`, which may be repeated for different agents."""
    found: dict[str, str] = {}
    for value in values:
        agent, equals, model = (part.strip() for part in value.partition("="))
        if not equals or not agent or not model:
            raise UsageMistake(
                f"`--agent-model {value}` is not AGENT=MODEL",
                hint="Name both, e.g. `--agent-model chair=openai/gpt-5`.",
            )
        if agent in found:
            raise UsageMistake(f"--agent-model names agent `{agent}` twice", hint="Keep one of them.")
        found[agent] = model
    return found


_options = (
    click.option(
        "-m",
        "--model",
        metavar="MODEL",
        type=ModelName(),
        help="Ask this model instead of the ensemble's, with every agent: a profile, a provider, PROVIDER/MODEL"
        " or a model's name, e.g. `-m ollama`.  [default: LLM_ORC_MODEL, else as the ensemble says]",
    ),
    click.option(
        "--profile",
        metavar="NAME",
        type=ProfileName(),
        help="The same with a model profile.  [default: LLM_ORC_PROFILE, else as the ensemble says]",
    ),
    click.option(
        "--agent-model",
        "agent_models",
        metavar="AGENT=MODEL",
        multiple=True,
        callback=_by_agent,
        type=AgentModel(),
        help="Ask this model with one agent, e.g. `--agent-model chair=fast`; may be repeated.",
    ),
)


class ModelOptions(TypedDict):
    """What click gives a command for `model_options`."""

    model: str | None
    profile: str | None
    agent_models: dict[str, str]


def model_options(function: Decorated) -> Decorated:
    """Add the options of every command that can ask other models than the ensemble's."""
    for option in reversed(_options):
        function = option(function)
    return function


def named_models(model: str | None, profile: str | None, agent_models: dict[str, str]) -> NamedModels:
    """Return what was named on the command line; options that exclude each other are a usage error."""
    from llm_orc.agents.choice import NamedModel
    from llm_orc.agents.named_models import NamedModels

    if model is not None and profile is not None:
        raise UsageMistake("--model and --profile exclude each other", hint="Give only one.")
    return NamedModels(
        None if model is None else NamedModel(model, "--model"),
        None if profile is None else NamedModel(profile, "--profile"),
        {agent: NamedModel(text, "--agent-model") for agent, text in agent_models.items()},
    )
