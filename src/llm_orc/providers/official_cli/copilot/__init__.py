"""GitHub Copilot's command, `copilot`."""
