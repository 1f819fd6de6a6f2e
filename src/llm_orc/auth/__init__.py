"""Credentials, sign-in and who pays. Must not know providers by name; prints and asks nothing."""
