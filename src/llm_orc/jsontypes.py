"""The type of any JSON value, as YAML options and provider bodies carry it."""

from typing import Any

# Not recursive, because msgspec, which reads stored runs, knows no recursive aliases.
JsonValue = None | bool | int | float | str | list[Any] | dict[str, Any]
