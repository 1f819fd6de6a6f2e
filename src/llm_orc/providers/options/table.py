"""The table of what `options` may add to a request: one row per option, for each dialect.

A row with a type is a plain sampling option: any ensemble may set it, including another person's. It changes what
the model says and costs nothing but the tokens of the answer, which `max_tokens` limits. A row without a type does
more, as its text says; only the user's own settings may allow it, like any field without a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from llm_orc.dataclass import dataclass
from llm_orc.providers.options.values import (
    ANY_NUMBER,
    ANY_WHOLE_NUMBER,
    COUNT,
    FRACTION,
    FROM_MINUS_ONE,
    MAPPING,
    PENALTY,
    POSITIVE,
    TOKENS,
    any_text,
    either,
    numbers_by_name,
    one_answer,
    plain_mapping,
    switch,
    text_only,
    texts,
    whole_numbers,
    word,
)
from llm_orc.storage.field_types import FieldType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llm_orc.catalog.rows import DialectName

Price = Literal["tokens", "unknown"]
"""`tokens`: the call costs what its tokens cost. `unknown`: something else may be billed, or tokens at another
price, so the call has no known maximum."""


@dataclass(frozen=True, slots=True)
class RequestOption:
    """One field of a request. `name` is dotted if the field is in a mapping: `thinking.budget_tokens`."""

    name: str
    takes: FieldType[Any] | None = None  # None: not a sampling option
    price: Price = "tokens"
    does: str = ""  # what it does beyond sampling, after "it"


def _extra(does: str, *names: str, price: Price = "unknown") -> tuple[RequestOption, ...]:
    return tuple(RequestOption(name, None, price, does) for name in names)


_Row = RequestOption
_TOOLS = "gives the model tools"
_LEVEL = "uses another service tier, at another price"
_KEEPS = "keeps prompts and answers at the provider"
_LABEL = "labels the request"

_EVERYWHERE = (
    _Row("temperature", POSITIVE),
    _Row("top_p", FRACTION),
    _Row("top_k", FROM_MINUS_ONE),
    *_extra(_TOOLS, "tools", "tool_choice", "mcp_servers"),
    *_extra(_LEVEL, "service_tier"),
    *_extra(_LABEL, "metadata", "user", "safety_identifier", price="tokens"),
)

_ANTHROPIC = (
    *_EVERYWHERE,
    _Row("stop_sequences", texts),
    _Row("thinking.type", word),
    _Row("thinking.budget_tokens", TOKENS),
    _Row("thinking.display", word),
    _Row("output_config.effort", word),
    _Row("output_config.format", MAPPING),
    *_extra("runs programs in a container", "container"),
    *_extra("writes to the provider's cache, which is billed", "cache_control"),
    *_extra("uses a faster and more expensive mode", "speed"),
    *_extra("chooses where the model runs, at another price", "inference_geo"),
    *_extra("lets the provider change the prompt", "context_management"),
)

_OPENAI = (
    *_EVERYWHERE,
    _Row("top_logprobs", COUNT),
    *_extra(_TOOLS, "parallel_tool_calls"),
    *_extra(_KEEPS, "store", "prompt_cache_key", "prompt_cache_retention", price="tokens"),
)

# For OpenAI's API, and the names that servers for local models use: llama.cpp, Ollama, vLLM, SGLang.
_CHAT = (
    *_OPENAI,
    _Row("n", one_answer),
    _Row("best_of", one_answer),
    _Row("stop", texts),
    _Row("seed", ANY_WHOLE_NUMBER),
    _Row("presence_penalty", PENALTY),
    _Row("frequency_penalty", PENALTY),
    _Row("logit_bias", numbers_by_name),
    _Row("logprobs", either(switch, COUNT)),
    _Row("verbosity", word),
    _Row("response_format", MAPPING),
    # reasoning
    _Row("reasoning_effort", word),
    _Row("reasoning.effort", word),
    _Row("reasoning.max_tokens", TOKENS),
    _Row("reasoning.exclude", switch),
    _Row("reasoning.enabled", switch),
    _Row("include_reasoning", switch),
    _Row("reasoning_format", word),
    _Row("thinking.type", word),
    _Row("thinking.budget_tokens", TOKENS),
    _Row("enable_thinking", switch),
    _Row("thinking_budget", FROM_MINUS_ONE),
    _Row("think", either(switch, word)),
    _Row("chat_template_kwargs", plain_mapping),
    # which tokens are allowed
    *(_Row(name, FRACTION) for name in ("min_p", "top_a", "typical_p", "tfs_z", "epsilon_cutoff", "eta_cutoff")),
    *(_Row(name, PENALTY) for name in ("repeat_penalty", "repetition_penalty", "length_penalty")),
    *(_Row(name, FROM_MINUS_ONE) for name in ("repeat_last_n", "no_repeat_ngram_size", "n_keep", "num_keep")),
    *(_Row(name, ANY_NUMBER) for name in ("mirostat_tau", "mirostat_eta", "top_n_sigma")),
    *(_Row(name, ANY_NUMBER) for name in ("xtc_probability", "xtc_threshold", "smoothing_factor")),
    *(_Row(name, ANY_NUMBER) for name in ("dynatemp_range", "dynatemp_exponent")),
    *(_Row(name, ANY_NUMBER) for name in ("dry_multiplier", "dry_base")),
    *(_Row(name, FROM_MINUS_ONE) for name in ("dry_allowed_length", "dry_penalty_last_n")),
    _Row("dry_sequence_breakers", texts),
    _Row("mirostat", COUNT),
    _Row("samplers", texts),
    _Row("min_tokens", COUNT),
    *(_Row(name, switch) for name in ("penalize_newline", "penalize_nl", "ignore_eos", "skip_special_tokens")),
    *(
        _Row(name, switch)
        for name in ("spaces_between_special_tokens", "include_stop_str_in_output", "safe_prompt")
    ),
    _Row("safe_prompt", switch),
    _Row("random_seed", ANY_WHOLE_NUMBER),
    _Row("stop_token_ids", whole_numbers),
    # the format of the answer
    *(_Row(name, any_text) for name in ("grammar", "guided_regex", "guided_grammar", "regex", "ebnf")),
    *(_Row(name, MAPPING) for name in ("json_schema", "guided_json", "structured_outputs")),
    _Row("guided_choice", texts),
    # how the server runs the model
    *(_Row(name, FROM_MINUS_ONE) for name in ("num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread")),
    *(_Row(name, switch) for name in ("use_mmap", "use_mlock", "low_vram", "numa", "f16_kv", "cache_prompt")),
    _Row("keep_alive", either(word, ANY_NUMBER)),
    _Row("usage.include", switch),  # OpenRouter: report the cost of the call
    *_extra(_TOOLS, "functions", "function_call"),
    *_extra("lets the provider search the web", "web_search_options", "search_parameters"),
    *_extra("lets the provider choose another model", "models", "route"),
    *_extra("gives the model plugins, such as web search", "plugins"),
    *_extra("chooses who runs the model, at another price", "provider"),
    *_extra("lets the provider change the prompt", "transforms"),
    *_extra("has a prediction billed in addition to the answer", "prediction"),
    *_extra("requests more than text", "modalities", "audio"),
    *_extra("requests several answers", "use_beam_search", "best_of_n"),
)

_RESPONSES = (
    *_OPENAI,
    _Row("seed", ANY_WHOLE_NUMBER),
    _Row("stop", texts),
    _Row("presence_penalty", PENALTY),
    _Row("frequency_penalty", PENALTY),
    _Row("reasoning.effort", word),
    _Row("reasoning.summary", word),
    _Row("reasoning_effort", word),
    _Row("text.verbosity", word),
    _Row("text.format", MAPPING),
    *_extra(_TOOLS, "max_tool_calls"),
    *_extra("uses a prompt stored at the provider", "prompt"),
    *_extra("continues a conversation stored at the provider", "previous_response_id", "conversation"),
    *_extra("keeps running at the provider after we disconnect", "background"),
    *_extra("requests more than text", "include"),
    *_extra("lets the provider change the prompt", "truncation", "context_management"),
)

_GENERATION = (
    *(_Row(name, POSITIVE) for name in ("temperature", "topK")),
    _Row("topP", FRACTION),
    _Row("seed", ANY_WHOLE_NUMBER),
    _Row("stopSequences", texts),
    _Row("presencePenalty", PENALTY),
    _Row("frequencyPenalty", PENALTY),
    _Row("candidateCount", one_answer),
    _Row("responseMimeType", word),
    _Row("responseSchema", MAPPING),
    _Row("responseJsonSchema", MAPPING),
    _Row("responseLogprobs", switch),
    _Row("logprobs", COUNT),
    _Row("responseModalities", text_only),
    _Row("mediaResolution", word),
    _Row("thinkingConfig.thinkingBudget", FROM_MINUS_ONE),
    _Row("thinkingConfig.thinkingLevel", word),
    _Row("thinkingConfig.includeThoughts", switch),
)
_GEMINI = (
    *(_Row(f"generationConfig.{row.name}", row.takes) for row in _GENERATION),
    *_extra("requests more than text", "generationConfig.speechConfig", "generationConfig.imageConfig"),
    *_extra(_TOOLS, "tools", "toolConfig"),
    *_extra("changes what the provider filters", "safetySettings", price="tokens"),
    *_extra("gives the model content stored at the provider", "cachedContent"),
    *_extra(_LEVEL, "serviceTier"),
    *_extra(_LABEL, "labels", price="tokens"),
    *_extra(_KEEPS, "store", price="tokens"),
)


def _by_name(rows: Sequence[RequestOption]) -> Mapping[str, RequestOption]:
    return {row.name: row for row in rows}


OPTIONS: Mapping[DialectName, Mapping[str, RequestOption]] = {
    "anthropic": _by_name(_ANTHROPIC),
    "openai-chat": _by_name(_CHAT),
    "openai-responses": _by_name(_RESPONSES),
    "gemini": _by_name(_GEMINI),
}

# Fields that we fill: the model, the prompt, the form of the reply.
RESERVED: Mapping[DialectName, frozenset[str]] = {
    "anthropic": frozenset({"model", "messages", "stream", "system"}),
    "openai-chat": frozenset({"model", "messages", "stream", "stream_options"}),
    "openai-responses": frozenset({"model", "input", "messages", "instructions", "stream", "stream_options"}),
    "gemini": frozenset({"model", "contents", "messages", "systemInstruction", "stream"}),
}

# Options that give the model tools of their own; an agent with tools has none of these.
TOOL_OPTIONS = ("tools", "functions")

# The limit of an answer under its other names: each is read as the agent's `max_tokens`.
LIMITS = (
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "maxOutputTokens",
    "generationConfig.maxOutputTokens",
    "max_new_tokens",
    "num_predict",
    "n_predict",
)
