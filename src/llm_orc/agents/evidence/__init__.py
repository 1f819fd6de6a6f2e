"""`evidence`: fields of an answer that quote a source, and the check that they do."""
