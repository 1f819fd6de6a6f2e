"""Look at this machine's set-up: check, doctor, status."""
