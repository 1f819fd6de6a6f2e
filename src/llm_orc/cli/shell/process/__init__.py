"""What this process is given by the system: its standard streams, and the signals that end it."""
