"""The task and the inputs of a run, as its ensemble declares them: checked before anything is spent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.agents.inputs.values import complete_inputs, example_of
from llm_orc.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.jsontypes import JsonValue

LONGEST_TASK = 10 * 1024 * 1024  # bytes of UTF-8; more fits no model, and would be refused only after it was sent


def task_of(ensemble: Ensemble, given: str | None) -> str:
    """Return the task of a run: the one given, else the default one. Empty, if the ensemble takes none.

    Raises `InputError` if there is none, or it is empty, no text, or too large.
    """
    if ensemble.task == "none":
        if given is not None and given.strip():
            raise InputError(f"ensemble `{ensemble.name}` takes no task", hint=_what_it_takes(ensemble))
        return ""
    task = ensemble.default_task if given is None else given
    if task is None:
        what = "has no `default_task`" if ensemble.task == "optional" else "requires a task"
        raise InputError(f"ensemble `{ensemble.name}` {what}", hint='Give one: `run(ensemble, "…")`.')
    check_task(task)
    return task


def given_inputs(
    ensemble: Ensemble, values: Mapping[str, JsonValue], *, texts: bool = False
) -> dict[str, JsonValue]:
    """Return the values that are given, each as its input's type has it; others may still be missing.

    `texts`: text is read as what the type says, as on a command line. Raises `InputError` for an unknown name
    and for a wrong value.
    """
    optional = [replace(spec, is_required=False) for spec in ensemble.inputs]
    known = complete_inputs(ensemble.name, optional, values, texts=texts)
    return {name: value for name, value in known.items() if name in values}


def _what_it_takes(ensemble: Ensemble) -> str:
    names = ", ".join(f"`{spec.name}`" for spec in ensemble.inputs)
    return f"It has the inputs {names}: `--set NAME=VALUE`." if names else "Run it without one."


def check_talk(ensemble: Ensemble) -> None:
    """Raise `InputError` where nothing can be said to the ensemble in a chat: it takes no task, or needs more."""
    needed = [spec for spec in ensemble.inputs if spec.is_required]
    options = "".join(f" --set {spec.name}={example_of(spec)}" for spec in needed)
    if ensemble.task == "none":
        raise InputError(
            f"ensemble `{ensemble.name}` takes no task, so nothing can be said to it in a chat",
            hint=f"llm-orc invoke {ensemble.name}{options}",
        )
    if needed:
        raise InputError(
            f"ensemble `{ensemble.name}` needs the input `{needed[0].name}`, which a chat doesn't give",
            hint=f"llm-orc invoke {ensemble.name}{options}",
        )


def check_task(task: str) -> None:
    """Raise `InputError` where `task` is empty, no text, or larger than any model takes."""
    if not task.strip():
        raise InputError("the task is empty", hint='Give one, e.g. `llm-orc invoke panel "Worth it?"`.')
    try:
        size = len(task.encode())
    except UnicodeEncodeError as e:  # half a surrogate pair: a byte on the command line that is no text
        raise InputError(
            f"the task is not text: character {e.start + 1:,} can't be read", hint="Give it as UTF-8 text."
        ) from e
    if size > LONGEST_TASK:
        raise InputError(
            f"the task has {size / 1048576:.1f} MB; the limit is {LONGEST_TASK // 1048576} MB",
            hint="Nothing was sent. Shorten it, or split it over several runs.",
        )
