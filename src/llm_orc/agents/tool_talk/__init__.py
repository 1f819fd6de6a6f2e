"""What a model is offered and asks for, beside the words of a conversation."""
