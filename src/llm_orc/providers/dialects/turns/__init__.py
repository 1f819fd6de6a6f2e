"""The turns of a conversation and the tools that are offered, as each protocol writes them."""
