"""The server side of wire protocols: requests read, answers written. Knows no ensemble and no model."""
