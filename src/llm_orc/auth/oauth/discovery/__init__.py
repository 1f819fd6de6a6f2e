"""What a client finds out and arranges before a sign-in: where one signs in, and as which client."""
