"""What a batch can be asked for, new or stored: its limits, the consent to bills, and where it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING

from llm_orc.agents.named_models import NONE_NAMED, NamedModels
from llm_orc.app.access.consent import Consent
from llm_orc.app.batches.inputs import Shaping
from llm_orc.app.files.given import NO_FILES_GIVEN, GivenFiles
from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue

if TYPE_CHECKING:
    from llm_orc.agents.spec import Caching
    from llm_orc.batches.batch import BatchLimits


@dataclass(frozen=True, slots=True)
class RequestedLimits:
    """Limits of a whole batch. None: as before; for a new batch, no limit and the usual number of rows at once."""

    max_cost_usd: float | None = None  # over metered accesses
    max_calls: int | None = None  # requests to providers over all accesses, retries included
    rows_at_once: int | None = None  # in each process
    wait_for_plan: bool | None = None  # when it is used up; a new batch: as the settings say
    max_total_tokens: int | None = None  # of input and output over all accesses

    def over(self, before: BatchLimits) -> BatchLimits:
        """Return the limits to store: `before`, with those that are requested."""
        return replace(
            before,
            max_cost_usd=before.max_cost_usd if self.max_cost_usd is None else self.max_cost_usd,
            max_calls=before.max_calls if self.max_calls is None else self.max_calls,
            max_total_tokens=before.max_total_tokens if self.max_total_tokens is None else self.max_total_tokens,
        )


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """Options of a new batch."""

    inputs: str  # where they come from, for people
    shaping: Shaping = field(default_factory=Shaping)
    store: str | None = None  # None: as the settings say
    limits: RequestedLimits = RequestedLimits()
    consent: Consent = Consent()
    rehearse: bool = False
    models: NamedModels = NONE_NAMED  # in place of the ensemble's
    caching: Caching = "use"
    again: bool = False  # a new batch, even if the same one was run before
    values: Mapping[str, JsonValue] = field(default_factory=dict)  # the ensemble's inputs, the same for all rows
    given: GivenFiles = NO_FILES_GIVEN  # what was read for them


@dataclass(frozen=True, slots=True)
class ResumeRequest:
    """A batch to resume, if `failed` with its failed rows."""

    batch: str  # its id, the start of it, or `last`
    store: str | None = None  # None: as the settings say
    limits: RequestedLimits = RequestedLimits()
    consent: Consent = Consent()
    failed: bool = False
