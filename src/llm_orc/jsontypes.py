"""The type of any JSON value, as in YAML options and in the bodies of requests."""

from typing import Any

# Not recursive, because msgspec, which reads stored runs, knows no recursive aliases.
JsonValue = None | bool | int | float | str | list[Any] | dict[str, Any]
