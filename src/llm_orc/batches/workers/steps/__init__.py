"""The agents of a row as durable steps, and what runs within them as durable parts of these steps."""
