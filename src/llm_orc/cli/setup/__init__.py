"""Commands that set something up: the wizard, new ensembles, trust, completion."""
