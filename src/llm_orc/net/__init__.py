"""HTTP for everything above: one session, one interface. Knows no provider and no credential."""
