"""LLM Orchestra: describe an ensemble of LLM agents in YAML and run it with the access you have."""
