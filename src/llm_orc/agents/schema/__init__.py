"""`schema`: what the answers of an agent have to be, as a file says it, whatever work gives them."""
