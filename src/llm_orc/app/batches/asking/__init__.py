"""Rows that ask people: answer them, and tell somebody of them."""
