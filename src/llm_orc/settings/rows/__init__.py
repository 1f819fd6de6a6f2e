"""The rows of keys that belong together, for `settings.fields`."""
