"""Import what a row names, when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def load(name: str) -> Any:
    """Return the object that `name` (`package.module:Object`) stands for. Raises what its import raises."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)
