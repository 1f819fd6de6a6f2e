"""What exists: one row for each provider, official CLI and wire protocol. Plain data; knows no other room."""
