"""What calls over "Sign in with ChatGPT" must be like, and what their errors mean.

From https://developers.openai.com/siwc/token-sharing-open-source/preview-limitations and …/errors-and-recovery, as
they were on 2026-11-27. A preview: look again before each release.
"""

from __future__ import annotations

from llm_orc.catalog.call_rules import CallRules

_SHARING = "subscription_sharing"

CHATGPT_CALLS = CallRules(
    always_stream=True,
    leave_out=(
        "background",
        "conversation",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "moderation",
        "multi_agent",
        "previous_response_id",
        "prompt",
        "prompt_cache_retention",
        "safety_identifier",
        "temperature",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    ),
    caches_by_key=True,
    only_completed=True,
    errors={
        f"{_SHARING}_usage_limit_exceeded": "plan-limit",
        f"{_SHARING}_user_not_eligible": "not-eligible",
        f"{_SHARING}_usage_unavailable": "unavailable",
        f"{_SHARING}_user_unavailable": "unavailable",
        f"{_SHARING}_unsupported_capability": "unsupported",
        f"{_SHARING}_route_not_supported": "wrong-address",
        f"{_SHARING}_invalid_user": "sign-in",
        "invalid_token": "sign-in",
    },
    own_machine_only="OpenAI allows its plans for programs on their user's own machine",
    terms_page="https://developers.openai.com/siwc/quickstart",
)
