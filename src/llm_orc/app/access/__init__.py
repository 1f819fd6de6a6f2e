"""Which access each agent's models use: found, ranked, and who pays."""
