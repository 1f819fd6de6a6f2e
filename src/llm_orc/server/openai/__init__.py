"""The door for clients of OpenAI: its models, Chat Completions and Responses."""
