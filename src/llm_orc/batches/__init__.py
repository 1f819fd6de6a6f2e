"""Batches that survive crashes: agents as durable steps. Only this room imports the durable engine."""

from importlib.util import find_spec

from llm_orc.errors import MissingExtra

if find_spec("dbos") is None:
    from llm_orc.errors.installing import adding

    raise MissingExtra("batches need the durable engine, which is not installed", hint=adding("batch"))
