"""HTTP for everything above: one session, one interface. Must not know providers or credentials."""
