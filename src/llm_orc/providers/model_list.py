"""Ask which models there are: a server on this machine, or a provider with a credential, which that proves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llm_orc.catalog.dialects import DIALECTS
from llm_orc.dataclass import dataclass
from llm_orc.errors import AccessRefused, CredentialRefused
from llm_orc.net.text import one_line
from llm_orc.net.transport import TransportError
from llm_orc.providers.base import Target
from llm_orc.providers.build import dialect_of
from llm_orc.providers.dialects.dialect import unreadable
from llm_orc.providers.dialects.tolerant import UNREADABLE, read
from llm_orc.providers.errors.failures import from_status, from_transport
from llm_orc.providers.redact import mask_error, masked_body, remember_credentials

if TYPE_CHECKING:
    from llm_orc.auth.apply import Authoriser
    from llm_orc.net.transport import Answer, Transport
    from llm_orc.providers.endpoint import Endpoint

_LARGEST_LIST = 8 * 2**20  # bytes; the longest known lists have less than one million
_LOCAL_LIMIT_S, _LIMIT_S = 2.0, 20.0
_NAME_PREFIX = "models/"  # Gemini's
_ANSWERS = "generateContent"  # what a model of Gemini's can do, if it can answer


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One model as its provider lists it. `name` is for people; empty: it has no other than its id."""

    model: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class ModelList:
    """The models in the order of the provider, without those that it doesn't offer for display or for text.

    `is_whole` False: the list goes on elsewhere.
    """

    models: tuple[ListedModel, ...]
    is_whole: bool = True


async def list_models(endpoint: Endpoint, http: Transport) -> tuple[str, ...]:
    """Ask a server that needs no credential which models it has, within two seconds.

    Raises `TransportError` where none answers; an answer that is no list of models is an empty one.
    """
    url = endpoint.base_url + DIALECTS[endpoint.dialect].models_path
    headers = dict(endpoint.headers)
    answer = await http.send("GET", url, headers, limit_s=_LOCAL_LIMIT_S, most_bytes=_LARGEST_LIST)
    found = models_in(answer.body) if answer.status == 200 else None
    return tuple(listed.model for listed in found.models) if found is not None else ()


async def ask_models(endpoint: Endpoint, authoriser: Authoriser, http: Transport) -> ModelList:
    """Ask a provider which models the credential may use, as a call would: a refused token is renewed once.

    Raises what a call raises, after one attempt: `ProviderError`, `AuthError`.
    """
    may_renew = True
    while True:
        headers: dict[str, str] = {}
        try:
            return await _ask(endpoint, authoriser, http, headers)
        except (CredentialRefused, AccessRefused) as e:
            is_renewable = may_renew and isinstance(e, CredentialRefused) and e.status == 401
            if not (is_renewable and await authoriser.renew(e, headers)):
                if isinstance(e, AccessRefused):  # a 401 may be about lists alone
                    await authoriser.remember(e, headers)
                raise
            may_renew = False


async def prove_credential(endpoint: Endpoint, authoriser: Authoriser, http: Transport, path: str = "") -> None:
    """Return if the provider accepts the credential for a request that costs nothing.

    `path`, behind the base URL, answers only to valid credentials; empty: the list of models is asked for. Raises
    as `ask_models` does, and remembers no refusal.
    """
    await _answer(endpoint, authoriser, http, {}, path)


async def _ask(endpoint: Endpoint, authoriser: Authoriser, http: Transport, headers: dict[str, str]) -> ModelList:
    answer = await _answer(endpoint, authoriser, http, headers)
    return _read(answer, Target(endpoint.provider, "", endpoint.calls))


async def _answer(
    endpoint: Endpoint, authoriser: Authoriser, http: Transport, headers: dict[str, str], path: str = ""
) -> Answer:
    target, dialect = Target(endpoint.provider, "", endpoint.calls), dialect_of(endpoint.dialect)
    row = DIALECTS[endpoint.dialect]
    headers |= {"accept": "application/json", **dialect.list_headers, **endpoint.headers}
    await authoriser.authorise(headers)
    remember_credentials(headers, {*dialect.list_headers, *endpoint.headers})
    models_path = row.models_path + (f"?{row.models_query}" if row.models_query else "")
    url = endpoint.base_url + (path or models_path)
    try:
        answer = await http.send("GET", url, headers, limit_s=_LIMIT_S, most_bytes=_LARGEST_LIST)
    except TransportError as e:
        failure = from_transport(e, target, endpoint.origin)
        mask_error(failure)
        raise failure from e
    if not 200 <= answer.status < 300:
        answer = masked_body(answer)
        error = from_status(
            answer.status,
            dialect.words(answer.body),
            target,
            answer.headers,
            key_hint=endpoint.key_hint,
            credential=endpoint.credential,
        )
        mask_error(error)
        raise error
    return answer


def _read(answer: Answer, target: Target) -> ModelList:
    try:
        found = _found(answer.body)
    except UNREADABLE as e:
        error = unreadable(target, masked_body(answer).body, e, answer.status)
        mask_error(error)
        raise error from e
    return found


def models_in(body: bytes) -> ModelList | None:
    """Return the models in a list of any known format; None if it is none."""
    try:
        return _found(body)
    except UNREADABLE:
        return None


class _Model(msgspec.Struct):
    """One entry; each protocol fills in some of it."""

    id: str = ""
    slug: str = ""
    name: str = ""
    display_name: str = ""
    displayName: str = ""  # noqa: N815 - on the wire
    visibility: str = "list"
    supportedGenerationMethods: list[str] | None = None  # noqa: N815 - on the wire


class _Models(msgspec.Struct):
    data: list[_Model] | None = None
    models: list[_Model] | None = None
    has_more: bool = False
    nextPageToken: str = ""  # noqa: N815 - on the wire


_reader = msgspec.json.Decoder(_Models, strict=False)


def _found(body: bytes) -> ModelList:
    """Raise what `UNREADABLE` names, also if there is no list: nobody knows then which models there are."""
    listed = read(_reader, body)
    rows = listed.models if listed.data is None else listed.data
    if rows is None:
        raise msgspec.ValidationError("it has no list of models")
    models = [_listed(one) for one in rows if _is_offered(one)]
    return ModelList(tuple(m for m in models if m.model), not (listed.has_more or listed.nextPageToken))


def _is_offered(model: _Model) -> bool:
    methods = model.supportedGenerationMethods
    return model.visibility == "list" and (methods is None or _ANSWERS in methods)


def _listed(model: _Model) -> ListedModel:
    found = one_line(model.id or model.slug or model.name.removeprefix(_NAME_PREFIX))
    called = model.display_name or model.displayName or (model.name if model.id or model.slug else "")
    name = one_line(called)
    return ListedModel(found, "" if name == found else name)
