"""The `attachments` of an agent: read, and resolved to the files that go with its turn."""
