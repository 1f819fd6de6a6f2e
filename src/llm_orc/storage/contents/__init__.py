"""Contents of files: what type they are, and a folder that keeps each once, by its hash."""
