"""Settings from environment variables and from the command line's flags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.errors import Problem
from llm_orc.settings.layer import LayerValues, Value, dotted
from llm_orc.settings.model import Origin
from llm_orc.settings.schema import PATHS, PLAIN
from llm_orc.storage.yaml_build import NotAScalar, plain_value
from llm_orc.storage.yaml_fields import WrongValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.jsontypes import JsonValue

VARIABLES = {
    "LLM_ORC_RECORD": ("runs", "record"),
    "LLM_ORC_KEEP_DAYS": ("runs", "keep_days"),
    "LLM_ORC_MAX_CONCURRENT": ("runs", "max_concurrent"),
    "LLM_ORC_TIMEOUT_SECONDS": ("runs", "timeout_seconds"),
    "LLM_ORC_MAX_RETRIES": ("runs", "max_retries"),
    "LLM_ORC_STORE": ("batch", "store"),
    "LLM_ORC_CA_FILE": ("network", "ca_file"),
    "LLM_ORC_CONNECT_TIMEOUT_SECONDS": ("network", "connect_timeout_seconds"),
    "LLM_ORC_IDLE_TIMEOUT_SECONDS": ("network", "idle_timeout_seconds"),
    "LLM_ORC_ANSWER_TIMEOUT_SECONDS": ("network", "answer_timeout_seconds"),
    "LLM_ORC_MAX_ANSWER_MB": ("network", "max_answer_mb"),
}
_WORDS = {"1": True, "yes": True, "on": True, "true": True, "0": False, "no": False, "off": False, "false": False}


def environment_layer(environ: Mapping[str, str]) -> LayerValues:
    """Read the variables of `VARIABLES`; an empty one counts as not set."""
    found = LayerValues()
    for variable, path in VARIABLES.items():
        written = environ.get(variable, "").strip()
        if not written:
            continue
        try:
            value = PLAIN[path[0]][path[1]](_from_text(written, path[1]))
        except WrongValue as e:
            found.problems.append(Problem(f"the environment variable `{variable}` must be {e.needs}"))
        else:
            found.values.append(Value(path, value, Origin("environment")))
    return found


def flag_layer(flags: Mapping[str, JsonValue]) -> LayerValues:
    """Take flags by dotted key ("runs.max_concurrent"); None: not given. An unknown one is a `KeyError`."""
    found = LayerValues()
    for key, given in flags.items():
        section, _, name = key.partition(".")
        kind = PLAIN[section][name]
        if given is None:
            continue
        try:
            found.values.append(Value((section, name), kind(given), Origin("flag")))
        except WrongValue as e:
            found.problems.append(Problem(f"`{dotted((section, name))}` must be {e.needs}"))
    return found


def _from_text(written: str, name: str) -> JsonValue:
    if name == "record":
        return _WORDS.get(written.lower(), written)
    if name in PATHS or name == "store":
        return written
    try:
        return plain_value(written)
    except NotAScalar:
        return written
