"""What a provider's calls must be like, beyond its wire protocol, as data of its row or of `config.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from llm_orc.dataclass import dataclass

ErrorMeaning = Literal["plan-limit", "not-eligible", "unavailable", "unsupported", "wrong-address", "sign-in"]
"""What an error code of a provider means, whatever status it comes with, and in a stream too:

`plan-limit`: the plan is used up for now. `not-eligible`: this account may not call, and a new sign-in changes
nothing. `unavailable`: try again later. `unsupported`: the request has a part that must be left out.
`wrong-address`: this access does not include the address that was called. `sign-in`: the sign-in has ended.
"""


@dataclass(frozen=True, slots=True)
class CallRules:
    """The rules; for most providers there are none."""

    always_stream: bool = False  # it answers streamed requests only
    leave_out: tuple[str, ...] = ()  # fields of requests that it refuses, so that they are never sent
    caches_by_key: bool = False  # `prompt_cache_key` leads a conversation to the machine that knows its prefix
    only_completed: bool = False  # an answer that ended early, as at a limit of tokens, is a failure
    errors: Mapping[str, ErrorMeaning] = field(default_factory=dict, hash=False)  # by the provider's code
    usage_page: str = ""  # where its user sees and limits the usage; told by `oauth.usage_page`
    own_machine_only: str = ""  # why it may only be called from its user's own machine; empty: from anywhere
    terms_page: str = ""  # where its provider says so


NO_RULES = CallRules()
