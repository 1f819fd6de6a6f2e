"""Ways in that people ask for and that this program does not offer, each with the reason and its source."""

from __future__ import annotations

from llm_orc.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class NotOffered:
    """`names` are what a user may call it, `why` continues "it is not offered: …", `instead` is the next step."""

    names: tuple[str, ...]
    why: str
    link: str
    date: str  # ISO 8601, when the page said so
    instead: str
    base_url: str = ""  # of what may be described in its place


NOT_OFFERED: tuple[NotOffered, ...] = (
    NotOffered(
        names=("zai", "z.ai", "z-ai", "zai-coding-plan", "glm", "glm-coding-plan", "bigmodel", "zhipu", "zhipuai"),
        why="Z.ai limits its GLM Coding Plan to the tools that it lists, and llm-orc is none of them",
        link="https://docs.z.ai/devpack/overview",
        date="2026-11-27",
        instead="An API key of Z.ai that is billed per token may be used, at another address than the plan's:",
        base_url="https://api.z.ai/api/paas/v4",
    ),
    NotOffered(
        names=("github-models", "github"),
        why="GitHub Models was retired on 2026-07-30",
        link="https://github.com/orgs/community/discussions/203602",
        date="2026-11-27",
        instead="Use the provider of the model itself: `llm-orc setup --list` shows them.",
    ),
)


def not_offered(name: str) -> NotOffered | None:
    """Return why there is no such provider; None: it is only unknown."""
    folded = name.casefold().replace("_", "-")
    return next((row for row in NOT_OFFERED if folded in row.names), None)
