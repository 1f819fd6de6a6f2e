"""What every way to log in must do, however it works inside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from llm_orc.auth.methods.base import Login, LoginMethod
from llm_orc.errors import LoginFailed
from tests.fakes.people import Person


async def brings_a_credential(method: LoginMethod, person: Person) -> Login:
    """A person who plays along ends with a credential that no `repr` shows."""
    login = await method.log_in(person)

    assert "canary" not in repr(login)
    return login


async def refuses_without_a_person(method: LoginMethod) -> LoginFailed:
    """Without a terminal it fails at once, asks nobody, and says what to run."""
    nobody = Person(is_interactive=False)

    with pytest.raises(LoginFailed) as caught:
        await method.log_in(nobody)

    assert caught.value.error == "needs_interaction"
    assert "llm-orc auth add acme" in str(caught.value.hint)
    assert (nobody.urls.qsize(), nobody.prompts, nobody.opened) == (0, [], [])
    return caught.value


def our_tasks() -> set[asyncio.Task[object]]:
    """Those that the program itself has started; a test's server has its own."""
    codes = {task: getattr(task.get_coro(), "cr_code", None) for task in asyncio.all_tasks()}
    return {task for task, code in codes.items() if code is not None and "llm_orc" in code.co_filename}


async def leaves_nothing_when_cancelled(method: LoginMethod, person: Person, until: Callable[[], bool]) -> None:
    """Ctrl-C while it waits: no task and no prompt stays behind."""
    before = our_tasks()
    task = asyncio.create_task(method.log_in(person))
    while not until():
        await asyncio.sleep(0.001)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert our_tasks() == before
    assert person.pasting == 0
