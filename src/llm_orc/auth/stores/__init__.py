"""How credentials are stored: the encrypted file, the sources of its key, and the files of older releases."""
