"""A conversation for Python programs: read, extend, clear and fork the histories of its agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from llm_orc.app.wiring import open_app
from llm_orc.settings.environment import ProcessEnvironment

if TYPE_CHECKING:
    from types import TracebackType

    from llm_orc.app.wiring import App
    from llm_orc.providers.base import Message, Role

_SOMEBODY = "assistant"


class OpenConversation:
    """The histories of one conversation, agent by agent; close it, or use it in a `with`.

    Every method blocks for a short time and raises `StorageError` if the file can't be used. Methods that change a
    history raise `ConversationBusy`, a `RunError`, while a run is in the middle of a turn.
    """

    def __init__(self, app: App, name: str, ensemble: str) -> None:
        self._clock = app.clock
        self._store = app.open_conversations()
        try:
            self._conversation = self._store.begin(name, ensemble, None, self._clock.now())
        except BaseException:
            self._store.close()
            raise

    @property
    def name(self) -> str:
        return self._conversation.name

    def add_to_conversation(
        self, role: Role, content: str, *, agent: str = _SOMEBODY, system_prompt: str | None = None
    ) -> None:
        """Add a message from elsewhere: `role` is `user` or `assistant`; an agent's first one is the user's.

        `system_prompt` is the role that was in force. Raises `InputError`.
        """
        now = self._clock.now()
        self._store.add(self._conversation, agent, role, content, now, system_prompt=system_prompt)

    def history(self, agent: str = _SOMEBODY) -> tuple[Message, ...]:
        """Return the history that the agent receives with its next turn, oldest first."""
        return self._store.history(self._conversation, agent)

    def clear(self, agent: str | None = None) -> int:
        """Remove all turns of one agent, or of all; return how many there were."""
        return self._store.clear(self._conversation, self._clock.now(), agent=agent)

    def fork(self, name: str) -> None:
        """Copy it under another name; this one stays unchanged. Raises `InputError` if the name is taken."""
        self._store.fork(self._conversation, name, self._clock.now())

    def close(self) -> None:
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_conversation(name: str, *, ensemble: str = "library") -> OpenConversation:
    """Return the conversation of that name, a new one if there is none; `ensemble` is the ensemble that starts it.

    Raises `InputError` for a name that can't be one, `StorageError`.
    """
    return OpenConversation(open_app(ProcessEnvironment.here()), name, ensemble)
