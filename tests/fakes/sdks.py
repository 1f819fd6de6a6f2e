"""The official SDKs, imported by the test that first asks for one: importing them takes seconds, in each worker."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import anthropic
    import anthropic.lib.credentials as anthropic_credentials
    import google.genai as genai
    import google.genai.errors as genai_errors
    import google.genai.types as genai_types
    import openai

__all__ = ["anthropic", "anthropic_credentials", "genai", "genai_errors", "genai_types", "openai"]

_MODULES = {
    "anthropic": "anthropic",
    "anthropic_credentials": "anthropic.lib.credentials",
    "genai": "google.genai",
    "genai_errors": "google.genai.errors",
    "genai_types": "google.genai.types",
    "openai": "openai",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the SDKs' own imports warn of is not ours to mend
        return import_module(_MODULES[name])
