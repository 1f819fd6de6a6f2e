"""The options that agents may put into requests: one table, and the checks of what it allows."""
