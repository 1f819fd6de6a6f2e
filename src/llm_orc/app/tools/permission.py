"""Permission: may an agent call this tool, must a person be asked, and which words in which file say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from llm_orc.agents.tool_sources.glob import name_matches
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llm_orc.agents.tools.tool import Tool
    from llm_orc.settings.model import Permission

Verdict = Literal["allow", "ask", "deny"]
_VERDICTS: Mapping[str, Verdict] = {"allow": "allow", "ask": "ask", "deny": "deny"}
_STRICTEST: Mapping[Verdict, int] = {"allow": 0, "ask": 1, "deny": 2}
DIGEST_LENGTH = 16  # hexadecimal digits of a definition's digest that are kept
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
        word = {"allow": "allowed", "ask": "asked", "deny": "denied"}[self.verdict]
        if self.has_changed and self.because is not None:
            return f"{word} (its definition has changed since it was allowed: {self.because.origin})"
        why = "by default" if self.because is None else f"`{self.because.pattern}`, {self.because.origin}"
        return f"{word} ({why})"


@dataclass(frozen=True, slots=True)
class Rules:
    """The entries of each layer, the one that counts first: the command line, the ensemble, the settings.

    In a layer the most specific entry counts, and of equal ones the strictest. What any layer denies is denied;
    otherwise the first layer that says something of the tool counts.
    """

    layers: tuple[tuple[Rule, ...], ...] = ()

    def decide(self, tool: Tool) -> Decision:
        return self.decide_named(tool.name, tool.digest, usual(tool))

    def decide_named(self, name: str, digest: str, by_default: Verdict) -> Decision:
        said = [found for rules in self.layers if (found := _of_layer(rules, name)) is not None]
        for rule in said:
            if rule.verdict == "deny":
                return Decision("deny", rule)
        if not said:
            return Decision(by_default)
        first = said[0]
        if first.digest and not digest.startswith(first.digest):
            return Decision("ask", first, has_changed=True)
        return Decision(first.verdict, first)

    def with_layer(self, rules: Sequence[Rule]) -> Rules:
        """Return them with another layer that counts before all others."""
        return Rules((tuple(rules), *self.layers))


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
