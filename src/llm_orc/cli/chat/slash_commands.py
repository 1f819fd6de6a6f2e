"""The commands between two turns of a chat: lines that start with `/`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llm_orc.agents.kinds import needs_of
from llm_orc.app.conversations.chat import Chat, new_name
from llm_orc.app.files.given import GivenFiles
from llm_orc.app.files.read import FileReader
from llm_orc.app.wiring import App
from llm_orc.cli.shell.access_lines import access_lines
from llm_orc.cli.shell.output.streams import note
from llm_orc.conversations.conversation import check_name
from llm_orc.dataclass import dataclass
from llm_orc.errors import InputError, StorageError
from llm_orc.formats.conversation import as_markdown
from llm_orc.formats.figures import count, spent_dollars
from llm_orc.formats.printable import one_line
from llm_orc.storage.atomic import write_where_named
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.app.conversations.partner import Partner
    from llm_orc.conversations.conversation import Turn
    from llm_orc.providers.parts import FileRef

_OWN = "-"  # instead of a role or model: the one of the agent itself
_LONGEST_SHOWN = 60  # characters of a turn in a note


@dataclass(slots=True)
class Room:
    """What the commands work on.

    `attached` are the files that go with the next turn, and `contents` those that were read for it. `said` has
    what was said in this chat and not undone, in order; `taken_back` is what `/undo` removed last, until something
    else is said. `choose` shows options and returns the index of the one chosen.
    """

    app: App
    chat: Chat
    choose: Callable[[list[str]], Awaitable[int]]
    said: list[str] = field(default_factory=list)
    taken_back: str | None = None
    attached: list[FileRef] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)

    @property
    def last(self) -> str:
        return self.taken_back or (self.said[-1] if self.said else "")

    def attach(self, path: str) -> FileRef:
        """Read a file that goes with the next turn. Raises `InputError`."""
        reader = FileReader(self.app)
        self.attached.append(reader.read(path, "`/attach`"))
        self.contents |= reader.contents
        return self.attached[-1]

    def take_attached(self) -> GivenFiles:
        """Return the files of the next turn; those after it have none."""
        given = GivenFiles(tuple(self.attached), self.contents)
        self.attached, self.contents = [], {}
        return given

    def say(self, text: str) -> None:
        self.said.append(text)
        self.taken_back = None


class Leave(Exception):
    """The person wants to leave."""


@dataclass(frozen=True, slots=True)
class Command:
    """`run` gets the text after the name, and returns the next turn, if there is one."""

    usage: str
    summary: str
    run: Callable[[Room, str], Awaitable[str | None]]


async def run_command(room: Room, line: str) -> str | None:
    """Run the command in the line; return the next turn, if there is one. Raises `InputError`, `Leave`."""
    name, _, rest = line[1:].partition(" ")
    command = COMMANDS.get(name)
    if command is None:
        hint = did_you_mean(name, COMMANDS) or "`/help` lists the commands."
        raise InputError(f"there is no `/{one_line(name)}`", hint=f"{hint} To send it as text, start with `//`.")
    return await command.run(room, rest.strip())


def complete(app: App, before: str) -> Iterator[tuple[str, str]]:
    """Yield the possible completions of the line, each with a description."""
    if before.startswith("/model "):
        known = {name: str(profile.model or "") for name, profile in app.settings.profiles.items()}
        yield from (
            (f"/model {name}", model) for name, model in known.items() if f"/model {name}".startswith(before)
        )
    elif before.startswith("/"):
        yield from ((f"/{name}", c.summary) for name, c in COMMANDS.items() if f"/{name}".startswith(before))


async def _attach(room: Room, rest: str) -> None:
    if rest == _OWN:
        room.attached.clear()
    elif rest:
        room.attach(rest.strip("\"'"))
    if room.attached:
        note(f"{_next_files(room)}.")
    else:
        note("No file goes with your next turn. `/attach FILE` adds one.")


def _next_files(room: Room) -> str:
    return f"With your next turn: {', '.join(one.name for one in room.attached)}"


async def _help(_room: Room, _rest: str) -> None:
    longest = max(len(c.usage) for c in COMMANDS.values())
    for command in COMMANDS.values():
        note(f"  {command.usage.ljust(longest)}  {command.summary}")
    note("Enter sends; Alt-Enter or Ctrl-J starts a new line. Ctrl-C stops an answer, Ctrl-D leaves.")
    note("To send text that starts with `/`, start with `//`.")


async def _role(room: Room, rest: str) -> None:
    ensemble = room.chat.ensemble
    first, _, text = rest.partition(" ")
    agent = first if any(spec.name == first for spec in ensemble.agents) and len(ensemble.agents) > 1 else None
    if agent is None:
        text = rest
    if not text:
        for spec in ensemble.agents:
            if agent in (None, spec.name):
                roles = [work.system_prompt for work in needs_of(spec.work).models if work.system_prompt]
                note(f"{spec.name}: {'; '.join(roles) or 'no role'}")
        return
    if text == _OWN:
        await room.chat.choose(room.chat.partner.with_role(None, agent))
        note("From now on the role is the one that it has by itself.")
        return
    await room.chat.choose(room.chat.partner.with_role(text, agent))
    note(f"From now on: {text}")


async def _model(room: Room, rest: str) -> None:
    if rest:
        await room.chat.choose(room.chat.partner.with_model(room.app, None if rest == _OWN else rest))
    await _who(room)


async def _who(room: Room) -> None:
    for line in access_lines(await room.chat.plan()):
        note(line)


async def _undo(room: Room, _rest: str) -> None:
    taken = room.chat.undo()
    if not taken:
        note("There is nothing to undo.")
        return
    room.attached = _files_of_last(taken)  # /retry and /edit ask with them
    asked = room.said.pop() if room.said else _asked_in(room, taken)
    room.taken_back = asked or None
    note(f"Undone: {_shortened(asked or taken[0].text)}")
    if room.attached:
        note(f"{_next_files(room)}; `/attach -` leaves them out.")


async def _retry(room: Room, _rest: str) -> str | None:
    """Ask again what was just undone, without undoing the turn before it."""
    turns = room.chat.turns()[0]
    said = room.last or _asked_in(room, turns)
    if not said:
        raise InputError("there is no turn yet that could be retried")
    if room.taken_back is None:
        room.attached[:0] = _files_of_last(turns)
        room.chat.undo()
        del room.said[-1:]
    return said


def _files_of_last(turns: Sequence[Turn]) -> list[FileRef]:
    """Return the files that went with the last question, each once."""
    run = turns[-1].run_id if turns else ""
    found = dict.fromkeys(one for turn in turns if turn.run_id == run for one in turn.files)
    return list(found)


def _asked_in(room: Room, turns: Sequence[Turn]) -> str:
    """Return what the person said last in `turns`; empty if that is not known.

    The input of one of several agents need not be what the person said.
    """
    if len(room.chat.ensemble.agents) > 1:
        return ""
    return next((turn.text for turn in reversed(turns) if turn.role == "user"), "")


async def _edit(room: Room, _rest: str) -> str | None:
    text = click.edit(room.last)
    if text is None or not text.strip():
        note("Nothing was sent.")
        return None
    return text.rstrip("\n")


async def _save(room: Room, rest: str) -> None:
    turns, _ = room.chat.turns()
    if not turns:
        raise InputError("nothing has been said yet")
    path = _file_for(room, rest)
    if path.exists() and await room.choose([f"Replace {path}", "Leave it as it is"]) == 1:
        note("Nothing was written.")
        return
    write_where_named(path, as_markdown(room.chat.conversation, turns).encode("utf-8", "backslashreplace"))
    note(f"{count(len(turns), 'turn')} written to {path}")


def _file_for(room: Room, named: str) -> Path:
    safe = "".join(c if c.isalnum() or c in "-_." else "-" for c in room.chat.conversation)
    path = Path(named or f"{safe}.md").expanduser().absolute()
    if path.is_dir() or not path.parent.is_dir():
        raise StorageError(f"can't write to `{path}`: the folder does not exist, or it is a folder itself")
    return path


async def _fork(room: Room, rest: str) -> None:
    if not rest:
        raise InputError("the copy needs a name", hint="Name the copy: `/fork NAME`.")
    before = room.chat.conversation
    room.chat.fork(rest)
    note(f"You are now in `{rest}`; `{before}` stays as it is.")


async def _new(room: Room, rest: str) -> None:
    lost = await room.chat.go_to(check_name(rest) if rest else new_name(room.chat.ensemble))
    room.said, room.taken_back = [], None
    _, earlier = room.chat.turns(0)
    note(f"Conversation {room.chat.conversation}" + (f", with {count(earlier, 'turn')}." if earlier else ", new."))
    for line in (*lost, *chosen_lines(room.chat.partner)):
        note(line)


async def _info(room: Room, _rest: str) -> None:
    _, turns = room.chat.turns(0)
    note(f"With {room.chat.ensemble.name}, in conversation {room.chat.conversation}, {count(turns, 'turn')}.")
    for line in chosen_lines(room.chat.partner):
        note(line)
    await _who(room)
    note(f"So far: {count(room.chat.calls, 'call')}, {spent_dollars(room.chat.spend)}")


async def _exit(_room: Room, _rest: str) -> None:
    raise Leave


def chosen_lines(partner: Partner) -> Iterator[str]:
    """Yield a line for each role and each model that was chosen in the conversation."""
    of = "" if len(partner.ensemble.agents) == 1 else " of {}"
    for agent, role in partner.chosen.roles.items():
        yield f"Role{of.format(agent)}, chosen in this conversation: {_shortened(role) or 'none'}"
    for agent, model in partner.chosen.models.items():
        yield f"Model{of.format(agent)}, chosen in this conversation: {one_line(model)}"


def _shortened(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= _LONGEST_SHOWN else line[: _LONGEST_SHOWN - 1] + "…"


COMMANDS: dict[str, Command] = {
    "help": Command("/help", "List these commands.", _help),
    "role": Command("/role [AGENT] [TEXT]", "Show the role, or set another one; `-` goes back to its own.", _role),
    "model": Command(
        "/model [NAME]", "Show who answers and who pays, or use another model; `-` goes back.", _model
    ),
    "attach": Command("/attach [FILE]", "Send a file along with the next turn; `-` none after all.", _attach),
    "undo": Command("/undo", "Undo the last turn.", _undo),
    "retry": Command("/retry", "Ask the last turn again, replacing its answer.", _retry),
    "edit": Command("/edit", "Write the next turn in your editor, starting from the last one.", _edit),
    "save": Command("/save [FILE]", "Write the conversation as Markdown.", _save),
    "fork": Command("/fork NAME", "Continue in a copy of the conversation.", _fork),
    "new": Command("/new [NAME]", "Switch to another conversation, or a new one.", _new),
    "info": Command("/info", "Show the conversation, the model, and the cost.", _info),
    "exit": Command("/exit", "Leave. The conversation is kept.", _exit),
    "quit": Command("/quit", "The same.", _exit),
}
