"""Build the model behind an endpoint; what speaks a dialect is imported when its first model is built."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, TypeVar

from llm_orc.catalog.dialects import DIALECTS
from llm_orc.catalog.load import load
from llm_orc.providers.retries import Retries

if TYPE_CHECKING:
    from llm_orc.auth.apply import Authoriser
    from llm_orc.catalog.rows import DialectName
    from llm_orc.net.transport import Transport
    from llm_orc.providers.base import ModelInterface
    from llm_orc.providers.claude import FixedPromptModel
    from llm_orc.providers.dialects.dialect import Dialect
    from llm_orc.providers.endpoint import Endpoint
    from llm_orc.providers.limits.limiter import Limiter
    from llm_orc.providers.model import HttpModel

    _Model = TypeVar("_Model", bound=HttpModel)


@cache
def dialect_of(name: DialectName) -> Dialect:
    """Return the one instance of a dialect."""
    dialect: Dialect = load(DIALECTS[name].dialect)()
    return dialect


def build_model(
    endpoint: Endpoint,
    model: str,
    authoriser: Authoriser,
    http: Transport,
    *,
    max_retries: int = 4,
    stream: bool = False,
    required_system_prompt: str | None = None,
    limiter: Limiter | None = None,
) -> ModelInterface:
    """Return the model at `endpoint`. Raises `AuthError` where `authoriser` belongs to another origin.

    `required_system_prompt` is what the access demands in the place of an agent's own.
    """
    dialect = dialect_of(endpoint.dialect)

    def built(kind: type[_Model]) -> _Model:
        return kind(
            endpoint,
            model,
            dialect,
            authoriser,
            http,
            retries=Retries(max_retries),
            stream=stream,
            limiter=limiter,
        )

    row = DIALECTS[endpoint.dialect]
    if required_system_prompt is None:
        plain: type[HttpModel] = load(row.model)
        return built(plain)
    fixed: type[FixedPromptModel] = load(row.fixed_prompt_model)
    with_prompt = built(fixed)
    with_prompt.required_system_prompt = required_system_prompt
    return with_prompt
