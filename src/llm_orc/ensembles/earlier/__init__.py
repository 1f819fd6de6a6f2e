"""What earlier releases wrote in other words, or understood in another way."""
