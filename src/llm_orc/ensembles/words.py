"""What each key of an ensemble means, in a few words: for editors that read the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ENSEMBLE_WORDS: Mapping[str, str] = {
    "name": "What the ensemble is invoked by. One line, at most 128 characters, no `/` or `\\`.",
    "description": "Shown by `llm-orc list-ensembles`.",
    "default_task": "Used where no input is given; the command line wins.",
    "task": "The older name of `default_task`; give one of the two.",
    "conversation": "The conversation that every run goes on with; `--conversation` and `--no-conversation` win.",
    "max_cost": "US dollars that a run may cost over metered accesses; a lower limit of who runs it wins.",
    "max_calls": "Requests that a run may send, retries included; a lower limit of who runs it wins.",
    "when_full": "What to do when the conversation no longer fits the model. Default: error.",
    "agents": "At least one agent, each with a name of its own.",
}
AGENT_WORDS: Mapping[str, str] = {
    "name": "Once in an ensemble: letters of any script, digits, spaces, `-`, `_`, `.`.",
    "model_profile": "The name of a model profile; not together with `model` or `provider`. Default: `default`.",
    "model": "The model's id at its provider; without `provider`, the name of a provider.",
    "provider": "The name of a provider, e.g. anthropic-api, openai, google-gemini, ollama.",
    "system_prompt": "The agent's role. Default: the profile's.",
    "temperature": "At least 0. Default: the profile's, else the provider's.",
    "max_tokens": "The longest answer. Default: the profile's, else the provider's.",
    "options": "Sampling options for the provider's request.",
    "timeout_seconds": "The longest time for this agent, retries included.",
    "depends_on": "The agents whose answers this one gets; it starts when they have ended.",
    "requires": "How many of `depends_on` must have answered for the agent to run. Default: all.",
    "fallback_model_profile": "The profile to go on with where the model fails.",
    "output_format": "`json` asks the model for JSON. Default: text.",
    "auth_method": "The one way in to use. Default: as the provider prefers.",
    "conversation": "Is this agent told what was said in the conversation? Default: where there is one.",
}
