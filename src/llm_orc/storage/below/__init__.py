"""Files below a folder that others may have made: written without following a link out of it."""
