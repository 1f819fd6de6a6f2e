"""People whom agents ask: questions, and their answers."""
