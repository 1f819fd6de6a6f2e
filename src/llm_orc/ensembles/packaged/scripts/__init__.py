"""Programs that packaged ensembles run, each by itself: they use nothing but the standard library."""
