"""The durable engine, closed: what it keeps is read as JSON alone, and no row can make it run code."""
