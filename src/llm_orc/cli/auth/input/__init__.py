"""What a person enters: keys, sign-ins, the login of an official CLI."""
