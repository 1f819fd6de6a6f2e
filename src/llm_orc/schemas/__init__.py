"""JSON Schema 2020-12: reading it, checking it, checking values by it. Must not know agents or providers."""
