"""Who we are to a provider, and who pays. Knows no provider by name; prints and asks nothing."""
