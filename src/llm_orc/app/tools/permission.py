"""Permission: may an agent call this tool, must a person be asked, and which words in which file say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from llm_orc.agents.tool_sources.glob import name_matches
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llm_orc.agents.path import AgentPath
    from llm_orc.agents.tools.tool import Tool
    from llm_orc.settings.model import Permission

Verdict = Literal["allow", "ask", "deny"]
_VERDICTS: Mapping[str, Verdict] = {"allow": "allow", "ask": "ask", "deny": "deny"}
_STRICTEST: Mapping[Verdict, int] = {"allow": 0, "ask": 1, "deny": 2}
DIGEST_LENGTH = 16  # hexadecimal digits of a definition's digest that are kept
_WORDS: Mapping[Verdict, str] = {"allow": "allowed", "ask": "asked", "deny": "denied"}
_MARK = "allow:"


@dataclass(frozen=True, slots=True)
class Rule:
    """What one entry says of the tools that `pattern` names. `digest`: only with that definition."""

    pattern: str
    verdict: Verdict
    origin: str  # for people: a file with its line, or an option
    digest: str = ""

    def fits(self, name: str) -> bool:
        return name_matches(self.pattern, name)

    @property
    def specificity(self) -> tuple[bool, int]:
        """A name is more specific than any pattern, and a pattern the more, the more letters it has."""
        return "*" not in self.pattern and "?" not in self.pattern, len(self.pattern.replace("*", ""))


@dataclass(frozen=True, slots=True)
class Decision:
    """May it be called? `because` is the entry that says so; None: it is so by default."""

    verdict: Verdict
    because: Rule | None = None
    has_changed: bool = False  # it was allowed with another definition

    @property
    def words(self) -> str:
        """What will happen and why, for people: `asked (by default)`."""
        return f"{_WORDS[self.verdict]} ({self._because})"

    @property
    def why(self) -> str:
        """Why it is so, as a sentence."""
        if self.because is None:
            return "By default, what writes, sends or starts something is asked about."
        return f"{self._because[0].upper()}{self._because[1:]}."

    @property
    def _because(self) -> str:
        if self.because is None:
            return "by default"
        where = f"`{self.because.pattern}` in {self.because.origin}"
        return f"its definition has changed since it was allowed: {where}" if self.has_changed else where


@dataclass(frozen=True, slots=True)
class Rules:
    """The entries of each layer, the one that counts first: the command line, the ensemble, the settings.

    In a layer the most specific entry counts, and of equal ones the strictest. What any layer denies is denied;
    otherwise the first layer that says something of the tool counts.
    """

    layers: tuple[tuple[Rule, ...], ...] = ()

    def decide(self, tool: Tool) -> Decision:
        return self.decide_named(tool.name, tool.digest, usual(tool))

    def decide_named(self, name: str, digest: str | None, by_default: Verdict) -> Decision:
        """Decide by what is known of a tool. `digest` None: its definition is not known yet."""
        said = [found for rules in self.layers if (found := _of_layer(rules, name)) is not None]
        for rule in said:
            if rule.verdict == "deny":
                return Decision("deny", rule)
        if not said:
            return Decision(by_default)
        first = said[0]
        if first.digest and digest is not None and not digest.startswith(first.digest):
            return Decision("ask", first, has_changed=True)
        return Decision(first.verdict, first)


@dataclass(frozen=True, slots=True)
class Layers:
    """What decides in one run: the rules of its command, and those of the settings.

    What the settings allow, they allow to agents whose file the user trusts; to any other agent, only what a
    person says in this very run does.
    """

    line: tuple[Rule, ...] = ()
    settings: tuple[Rule, ...] = ()
    trusts: Callable[[AgentPath], bool] = lambda _agent: True

    def of(self, agent: AgentPath) -> Rules:
        """Return the rules for an agent."""
        if self.trusts(agent):
            return Rules((self.line, self.settings))
        return Rules((self.line, tuple(rule for rule in self.settings if rule.verdict != "allow")))

    def allow(self, rule: Rule) -> Layers:
        """Return them with what a person has just allowed."""
        return replace(self, line=(*(one for one in self.line if one.pattern != rule.pattern), rule))


def usual(tool: Tool) -> Verdict:
    """Return what happens if nothing is configured: what acts or sends is asked about."""
    return "ask" if tool.acts or tool.sends else "allow"


def rules_of(permissions: Mapping[str, Permission]) -> tuple[Rule, ...]:
    """Return the rules of the settings' entries."""
    return tuple(rule_of(pattern, one.verdict, str(one.origin)) for pattern, one in permissions.items())


def rule_of(pattern: str, written: str, origin: str) -> Rule:
    if written.startswith(_MARK):
        return Rule(pattern, "allow", origin, written.removeprefix(_MARK))
    return Rule(pattern, _VERDICTS[written], origin)


def allowing(tool: Tool) -> str:
    """Return what an entry of `permissions` says that allows the tool for good: as long as it stays what it is."""
    return f"{_MARK}{tool.digest[:DIGEST_LENGTH]}" if tool.digest else "allow"


def _of_layer(rules: Sequence[Rule], name: str) -> Rule | None:
    fitting = [rule for rule in rules if rule.fits(name)]
    return max(fitting, key=lambda rule: (rule.specificity, _STRICTEST[rule.verdict]), default=None)
