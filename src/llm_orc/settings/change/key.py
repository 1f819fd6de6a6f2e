"""Dotted keys of settings, such as `providers.openai.base_url`, and values for them as they are typed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from llm_orc.errors import InputError
from llm_orc.settings.fields import SECTIONS, field_at
from llm_orc.settings.layer import KEY_ITSELF, dotted
from llm_orc.storage.field_types import WrongValue
from llm_orc.storage.suggest import closest_names
from llm_orc.storage.yaml_source import read_yaml_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llm_orc.jsontypes import JsonValue
    from llm_orc.settings.field import Field
    from llm_orc.settings.fields import SettingPath

_ALL = "llm-orc config show --all"


def parse_key(key: str, named: Iterable[str] = ()) -> SettingPath:
    """Return the path of a setting. `named` are the keys of profiles and providers that there are.

    The name of a profile or provider may have dots in it. A setting whose name no other section has may stand
    without its section: `model` for `runs.model`. Raises `InputError`: there is no such setting, with the
    nearest ones; or it is a secret, which no file of settings has.
    """
    section, _, rest = _with_section(key).partition(".")
    words = rest.split(".") if rest else []
    if section in SECTIONS and words and all(words):
        if SECTIONS[section].of_each is not None:
            return section, ".".join(words)
        if not SECTIONS[section].is_named:
            _refuse_secret(key, words[-1], None)
            return _known((section, *words), key, named)
        for length in range(1, len(words)):
            path = (section, ".".join(words[:length]), *words[length:])
            if (row := field_at(path)) is not None and _is_leaf(path, row):
                return path
        _refuse_secret(key, words[-1], words[0] if section == "providers" else None)
    raise _unknown(key, named)


def _with_section(key: str) -> str:
    if "." in key or key in SECTIONS:
        return key
    sections = [name for name, one in SECTIONS.items() if not one.is_named and key in one.fields]
    return f"{sections[0]}.{key}" if len(sections) == 1 else key


def _known(path: SettingPath, key: str, named: Iterable[str]) -> SettingPath:
    row = field_at(path)
    if row is None or not _is_leaf(path, row):
        raise _unknown(key, named)
    return path


def _is_leaf(path: SettingPath, row: Field) -> bool:
    """Whether a value is set there: not a mapping whose keys are known, and only one key deep in a free one."""
    if row.fields:
        return False
    return row.is_open or field_at(path[:-1]) is not row


def _refuse_secret(key: str, word: str, provider: str | None) -> None:
    if KEY_ITSELF.get(word.lower().replace("-", "_")) is not None:
        raise InputError(
            f"`{key}` would be a secret, and no file of settings has one",
            hint=f"llm-orc auth add {provider}" if provider else "llm-orc auth add",
        )


def _unknown(key: str, named: Iterable[str]) -> InputError:
    section, _, rest = key.partition(".")
    within = SECTIONS.get(section)
    if within is not None and within.is_named and "." in rest:
        name = rest.split(".")[0]
        known = [f"{section}.{name}.{one}" for one in within.fields]
    elif within is not None and within.is_named:
        known = [*named, *(f"{section}.{rest or 'NAME'}.{one}" for one in within.fields)]
    else:
        known = [*(f"{name}.{one}" for name, found in SECTIONS.items() for one in found.fields), *named]
    near = closest_names(key, known)
    quoted = [f"`{one}`" for one in near]
    hint = f"Did you mean {' or '.join(quoted)}?" if near else _ALL
    return InputError(f"there is no setting `{key}`", hint=hint)


def parse_value(path: SettingPath, text: str) -> JsonValue:
    """Return the value that `text` means for this setting, written as in YAML; where text is wanted, any text.

    Raises `InputError`: the setting can't have this value.
    """
    row = field_at(path)
    assert row is not None, path
    document = read_yaml_text(text)
    candidates: list[JsonValue] = [text] if document.problems else [document.data, text]
    failure: WrongValue | None = None
    for value in candidates:
        try:
            row.type({path[-1]: value} if row.is_open and field_at(path[:-1]) is row else value)
        except WrongValue as e:
            failure = failure or e
        else:
            return value
    assert failure is not None
    raise InputError(f"`{dotted(path)}` must be {failure.needs}", hint=failure.hint)


def words_of(value: JsonValue) -> str:
    """Return the value as it is typed: text as it is, all else as JSON."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
