"""The sources of credentials: one file each, in one table that ranks them."""
