"""Proxies: which one a request goes through, and which servers are reached directly."""
