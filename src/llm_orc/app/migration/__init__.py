"""Copy keys and sign-ins from elsewhere into the credential store."""
