"""A project's ensembles and files, and their trust."""
