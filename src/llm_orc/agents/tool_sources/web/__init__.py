"""The tool that fetches a page of the web as text."""
