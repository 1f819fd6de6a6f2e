"""Servers: an ensemble for other programs. Each door is a folder here, and decides nothing that `app` could."""
