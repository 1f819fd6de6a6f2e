"""Plans that give their subscriber a key for other programs. Such a key is none of the metered API beside it.

No variable is read where a plan has the address of a metered API: a key in it would be taken for the wrong one.
"""

from __future__ import annotations

from llm_orc.catalog.rows import Billing, InteractiveOnly, KeyNotice, ProviderSpec

_ALIBABA_PAGE = "https://www.alibabacloud.com/help/en/model-studio/other-tools-coding-plan"
_ALIBABA_DATE = "2026-03-28"

PLAN_KEY_ROWS: tuple[ProviderSpec, ...] = (
    ProviderSpec(
        name="kimi-code",
        title="Kimi Code membership",
        dialect="openai-chat",
        # https://www.kimi.com/code/docs (2026-11): the key is for third-party tools and self-built applications.
        base_url="https://api.kimi.com/coding/v1",
        api_key_env=("KIMI_API_KEY",),
        billing=Billing.SUBSCRIPTION,
        default_model="kimi-for-coding",
        keys_at="https://www.kimi.com/code/console",
        key_owner="Kimi Code",
        key_prefixes=("sk-kimi-",),
        max_concurrent=30,
    ),
    ProviderSpec(
        name="minimax-token-plan",
        title="MiniMax Token Plan",
        dialect="anthropic",
        base_url="https://api.minimax.io/anthropic",  # https://platform.minimax.io/docs/token-plan/quickstart
        billing=Billing.PLAN_CREDITS,
        keys_at="https://platform.minimax.io/user-center/payment/token-plan",
        key_owner="MiniMax",
        key_notice=KeyNotice(
            "The plan's Subscription Key also pays with Credits, if your account has bought any. A pay-as-you-go"
            " key of MiniMax is accepted at the same address and billed per call: add only the Subscription Key"
            " here.",
            "https://platform.minimax.io/docs/token-plan/quickstart",
            "2026-11-27",
        ),
    ),
    ProviderSpec(
        name="mistral-vibe",
        title="Mistral Vibe plan",
        dialect="openai-chat",
        base_url="https://api.mistral.ai/v1",  # https://docs.mistral.ai/vibe/code/cli/api-keys-profiles
        billing=Billing.PLAN_CREDITS,
        default_model="mistral-medium-latest",
        keys_at="https://chat.mistral.ai/code/extensions",
        key_owner="Mistral",
        key_notice=KeyNotice(
            "Mistral recommends pay-as-you-go for automation. The plan's monthly usage is shared with Vibe; when"
            " it runs out, requests stop or use paid credits, as your organization's settings say.",
            "https://docs.mistral.ai/vibe",
            "2026-11-27",
        ),
    ),
    ProviderSpec(
        name="alibaba-coding-plan",
        title="Alibaba Cloud Coding Plan",
        dialect="openai-chat",
        # Of the international edition; that of mainland China is at https://coding.dashscope.aliyuncs.com/v1.
        base_url="https://coding-intl.dashscope.aliyuncs.com/v1",
        billing=Billing.SUBSCRIPTION,
        keys_at="https://modelstudio.console.alibabacloud.com",
        key_owner="Alibaba Cloud's Coding Plan",
        key_prefixes=("sk-sp-",),
        key_notice=KeyNotice(
            "Alibaba Cloud allows this plan in interactive tools only: no scripts, no back ends, no batches."
            " llm-orc calls it only while you are at a terminal.",
            _ALIBABA_PAGE,
            _ALIBABA_DATE,
        ),
        interactive_only=InteractiveOnly(
            "Alibaba Cloud allows the plan in interactive tools only", _ALIBABA_PAGE, _ALIBABA_DATE
        ),
    ),
)
