"""A project's ensembles and files, and what of them is trusted."""
