"""Files, locks and SQLite: mechanics only. Must not know what it stores."""
