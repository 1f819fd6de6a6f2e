"""The commands that answer what agents ask: `runs approve`, `runs reject` and `runs answer`."""
