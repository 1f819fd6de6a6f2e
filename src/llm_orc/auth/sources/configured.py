"""The key whose source the configuration names: `api_key_env`, `api_key_file`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.auth.source import find_api_key
from llm_orc.auth.sources.source import FoundCredential, Places, Wanted
from llm_orc.auth.standing import Standing, key_standing
from llm_orc.errors import AuthError, KeyMalformed

if TYPE_CHECKING:
    from collections.abc import Iterator


def in_configuration(wanted: Wanted, places: Places) -> Iterator[FoundCredential]:
    if wanted.file is None and wanted.variable is None:
        return
    label = f"key file {wanted.file}" if wanted.file is not None else f"environment variable {wanted.variable}"
    where = f"{label}, named in the configuration"
    try:
        found = find_api_key(
            places.environ, usual=(), variable=wanted.variable, file=wanted.file, origin=wanted.origin
        )
    except AuthError as e:
        standing = Standing("corrupt" if isinstance(e, KeyMalformed) else "absent", e.message, e.hint, e)
        yield FoundCredential("configuration", "api-key", where, label, standing, is_set_up=True)
        return
    assert found is not None  # a named source has a key, or it is an error
    standing = key_standing(found.secret, wanted.origin, places.refusals, found.source, wanted.provider)
    yield FoundCredential("configuration", "api-key", where, found.source, standing, is_set_up=True, key=found)
