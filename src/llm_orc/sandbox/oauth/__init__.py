"""An authorisation server on loopback, for the sandbox."""
