"""The type of any JSON value, as YAML options and provider bodies carry it."""

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]
