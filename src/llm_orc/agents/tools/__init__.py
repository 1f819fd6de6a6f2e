"""Tools that agents may use: what one is, and who may call it."""
