"""The version, as `pyproject.toml` has it: to ask the installed package for it takes longer than most commands."""

VERSION = "0.1.0"
