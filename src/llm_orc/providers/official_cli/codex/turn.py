"""One turn of `codex exec --json`: what each line means. Its answer is an item, and nothing else may be one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.errors import AccessNotSupported, NotLoggedIn, RateLimited, ReplyCut, ReplyUnreadable
from llm_orc.net.text import one_line
from llm_orc.providers.base import Usage
from llm_orc.providers.official_cli.codex.failures import failure_of
from llm_orc.providers.official_cli.lines import object_in, text_in
from llm_orc.providers.official_cli.program import (
    Answered,
    Answering,
    Started,
    TriesAgain,
    TurnReader,
    tool_used,
)
from llm_orc.providers.usage import added_in, believed, count_in, counted

if TYPE_CHECKING:
    from llm_orc.errors import LlmOrcError
    from llm_orc.providers.base import Target
    from llm_orc.providers.official_cli.lines import Fields
    from llm_orc.providers.official_cli.program import Meaning


class CodexTurn(TurnReader):
    def __init__(self, target: Target, model: str) -> None:
        self._target, self._model = target, model
        self._has_spoken = False
        self._texts: list[str] = []
        self._trouble = ""  # its last complaint

    def read(self, said: Fields) -> Meaning:
        self._has_spoken = True
        match text_in(said, "type"):
            case "thread.started":
                return Started()
            case "item.started" | "item.updated" | "item.completed" as kind:
                return self._item(object_in(said, "item"), is_whole=kind == "item.completed")
            case "turn.completed":
                return self._completed(object_in(said, "usage"))
            case "turn.failed":
                raise failure_of(self._target, text_in(said, "error", "message") or text_in(said, "message"))
            case "error":
                return self._complained(text_in(said, "message"))
            case _:
                pass
        return None

    def ended(self, exit_code: int, complaint: str) -> LlmOrcError:
        words = complaint or one_line(self._trouble)
        if not self._has_spoken and exit_code > 0 and words:
            return AccessNotSupported(
                f"`codex` can't be used (exit code {exit_code}): {words}",
                hint="Try it by hand with `codex exec hello`, or update it: `npm install -g @openai/codex`.",
            )
        return ReplyCut(
            f"`codex` ended (exit code {exit_code}) before the answer did" + (f": {words}" if words else ""),
            hint="Run it again. If it happens every time, try `codex exec hello`.",
        )

    def _item(self, item: Fields, *, is_whole: bool) -> Meaning:
        match text_in(item, "type"):
            case "agent_message":
                if is_whole:
                    self._texts.append(text_in(item, "text"))
                return Answering()
            case "reasoning":
                return Answering()
            case "error":  # a notice, such as of a setting that it does not know
                self._trouble = text_in(item, "message")
                return None
            case kind:  # a command, a file, a search, a server's tool, or a feature of a later version
                raise tool_used(self._target, text_in(item, "tool") or kind)

    def _complained(self, words: str) -> Meaning:
        self._trouble = words
        if not words.startswith("Reconnecting"):
            return None  # `turn.failed` follows
        error = failure_of(self._target, words)
        if isinstance(error, NotLoggedIn | RateLimited):
            raise error  # it would keep trying
        return TriesAgain(error, 0.0)

    def _completed(self, counts: Fields) -> Answered:
        if not self._texts:
            raise ReplyUnreadable(f"{self._target} ended its turn without an answer")
        # Its `input_tokens` have those of the cache among them.
        usage = counted(
            count_in(counts, "input_tokens"),
            count_in(counts, "output_tokens"),
            cache_read=added_in(counts, "cached_input_tokens"),
            cache_write=added_in(counts, "cache_write_input_tokens"),
        )
        return Answered(self._texts[-1], self._model, believed(usage if counts else Usage()), may_go_on=True)
