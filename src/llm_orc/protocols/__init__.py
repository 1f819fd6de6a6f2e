"""The server side of wire protocols: reads requests, writes answers. Must not know ensembles or models."""
