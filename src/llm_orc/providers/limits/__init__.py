"""The rate of calls to a provider: configured limits, its rate headers, and its pauses."""
