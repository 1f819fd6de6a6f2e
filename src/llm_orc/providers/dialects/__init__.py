"""The wire protocols of providers: requests and answers in bytes. No I/O, and no provider's name."""
