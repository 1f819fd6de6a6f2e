"""LLM Orchestra: describe an ensemble of LLM agents in YAML and run it with the access you have.

The public names are those in `__all__`; everything else may change. They are loaded when first used, so that
importing the package stays fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_orc.agents.approval.work import ApprovalWork
    from llm_orc.agents.budgets.ceilings import Ceilings
    from llm_orc.agents.dispatch.work import DispatchWork
    from llm_orc.agents.ensemble.work import EnsembleWork
    from llm_orc.agents.evidence.spec import Evidence
    from llm_orc.agents.fan_out.spec import FanOut
    from llm_orc.agents.inputs.spec import InputSpec
    from llm_orc.agents.loop.work import LoopWork
    from llm_orc.agents.output import ModelCall
    from llm_orc.agents.samples.spec import Judge, Samples
    from llm_orc.agents.script.work import ScriptWork
    from llm_orc.agents.spec import AgentSpec, CacheUse
    from llm_orc.agents.work import ModelRef, ModelWork
    from llm_orc.app.api import answer_approval, load_ensemble, open_runtime, run, run_sync
    from llm_orc.app.conversations.open import OpenConversation, open_conversation
    from llm_orc.app.files.given import FileData
    from llm_orc.app.runs.runtime import Runtime
    from llm_orc.auth.access import Access, Billing
    from llm_orc.engine.events import RunEvent
    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.errors import (
        AuthError,
        EnsembleError,
        InputError,
        LlmOrcError,
        ProviderError,
        RunError,
        SettingsError,
        StorageError,
    )
    from llm_orc.providers.base import Message, Usage
    from llm_orc.runs.results import AgentResult, RunResult
    from llm_orc.runs.spend import Spend

_HOME_OF = {
    "answer_approval": "app.api",
    "load_ensemble": "app.api",
    "open_runtime": "app.api",
    "run": "app.api",
    "run_sync": "app.api",
    "open_conversation": "app.conversations.open",
    "Runtime": "app.runs.runtime",
    "OpenConversation": "app.conversations.open",
    "Message": "providers.base",
    "Ensemble": "ensembles.ensemble",
    "AgentSpec": "agents.spec",
    "CacheUse": "agents.spec",
    "Evidence": "agents.evidence.spec",
    "FanOut": "agents.fan_out.spec",
    "Judge": "agents.samples.spec",
    "Samples": "agents.samples.spec",
    "Ceilings": "agents.budgets.ceilings",
    "EnsembleWork": "agents.ensemble.work",
    "ApprovalWork": "agents.approval.work",
    "DispatchWork": "agents.dispatch.work",
    "LoopWork": "agents.loop.work",
    "ModelRef": "agents.work",
    "ModelWork": "agents.work",
    "ScriptWork": "agents.script.work",
    "ModelCall": "agents.output",
    "RunEvent": "engine.events",
    "RunResult": "runs.results",
    "AgentResult": "runs.results",
    "Spend": "runs.spend",
    "Usage": "providers.base",
    "Access": "auth.access",
    "Billing": "auth.access",
    "LlmOrcError": "errors",
    "InputError": "errors",
    "FileData": "app.files.given",
    "InputSpec": "agents.inputs.spec",
    "EnsembleError": "errors",
    "SettingsError": "errors",
    "AuthError": "errors",
    "ProviderError": "errors",
    "RunError": "errors",
    "StorageError": "errors",
}

__all__ = [
    "Access",
    "AgentResult",
    "AgentSpec",
    "ApprovalWork",
    "AuthError",
    "Billing",
    "CacheUse",
    "Ceilings",
    "DispatchWork",
    "Ensemble",
    "EnsembleError",
    "EnsembleWork",
    "Evidence",
    "FanOut",
    "FileData",
    "InputError",
    "InputSpec",
    "Judge",
    "LlmOrcError",
    "LoopWork",
    "Message",
    "ModelCall",
    "ModelRef",
    "ModelWork",
    "OpenConversation",
    "ProviderError",
    "RunError",
    "RunEvent",
    "RunResult",
    "Runtime",
    "Samples",
    "ScriptWork",
    "SettingsError",
    "Spend",
    "StorageError",
    "Usage",
    "answer_approval",
    "load_ensemble",
    "open_conversation",
    "open_runtime",
    "run",
    "run_sync",
]


def __getattr__(name: str) -> object:
    """Load a public name when it is first used (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module `llm_orc` has no attribute `{name}`")
    value: object = getattr(import_module(f"llm_orc.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
