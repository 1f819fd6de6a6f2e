"""Child processes: how one is started, read within limits, and ended with its group, however we end."""
