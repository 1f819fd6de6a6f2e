"""The kind of agent that runs one of several ensembles: which one, an answer or an input says."""
