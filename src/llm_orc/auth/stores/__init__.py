"""How credentials are kept: the encrypted file, where its key comes from, and the files of older releases."""
