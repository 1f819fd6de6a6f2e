"""The places where a credential can be: a file each, in one table that says in which order they count."""
