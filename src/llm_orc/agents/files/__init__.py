"""Files that a run is given: what names one, and how their contents are read."""
