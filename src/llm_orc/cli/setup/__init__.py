"""Commands that set something up: wizard, new ensembles, trust, completion."""
