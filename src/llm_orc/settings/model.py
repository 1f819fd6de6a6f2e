"""Settings as the rest of the program sees them: frozen, merged, each value with where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from llm_orc.jsontypes import JsonValue
from llm_orc.net.options import NetworkSettings

Layer = Literal["packaged", "user", "project", "environment", "flag"]
DialectName = Literal["anthropic", "openai-chat", "openai-responses", "gemini"]
BillingName = Literal["subscription", "metered", "local"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written. `file` and `line` (from 1) are set where the layer is a file's."""

    layer: Layer
    file: Path | None = None
    line: int = 0

    def __str__(self) -> str:
        if self.file is None or self.layer == "packaged":
            return self.layer
        return f"{self.file}:{self.line}" if self.line else str(self.file)


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """A named model with its parameters. `base_url`, `api_key_env` and `api_key_file` only from trusted files."""

    name: str
    origin: Origin
    provider: str | None = None
    model: str | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    api_key_file: Path | None = None
    system_prompt: str | None = None
    timeout_s: float | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    options: dict[str, JsonValue] = field(default_factory=dict)
    cost_per_token: float | None = None
    fallback_model_profile: str | None = None


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """What configuration says of one provider; None: as the catalogue has it."""

    name: str
    base_url: str | None = None
    dialect: DialectName | None = None
    api_key_env: str | None = None
    api_key_file: Path | None = None
    default_model: str | None = None
    billing: BillingName | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunSettings:
    record: bool = True
    keep_days: int | None = 90  # None: for ever
    max_concurrent: int | None = None  # None: as many as open files allow
    timeout_s: float | None = None  # of a whole run
    max_retries: int = 4  # tries after the first, for what is transient


@dataclass(frozen=True, slots=True)
class Withheld:
    """A value that a file of an untrusted project tried to set and that was not taken."""

    key: str  # dotted: "providers.openai.base_url"
    origin: Origin


@dataclass(frozen=True, slots=True)
class Project:
    """The project directory (the one that holds `.llm-orc`), and whether the user trusts it."""

    root: Path
    trusted: bool


@dataclass(frozen=True, slots=True)
class Settings:
    """All layers merged: packaged < user < project < environment < flags."""

    profiles: Mapping[str, ModelProfile] = field(default_factory=dict)
    providers: Mapping[str, ProviderSettings] = field(default_factory=dict)
    runs: RunSettings = field(default_factory=RunSettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    project: Project | None = None
    withheld: tuple[Withheld, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict)  # dotted key → where its value came from
    notices: tuple[str, ...] = ()  # what was left unread in the files, one sentence each
