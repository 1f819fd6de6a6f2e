"""What the user enters: keys, sign-ins, the login of an official CLI."""
