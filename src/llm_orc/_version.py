"""The version, as in `pyproject.toml`: asking the installed package for it takes longer than most commands."""

VERSION = "0.1.0"
