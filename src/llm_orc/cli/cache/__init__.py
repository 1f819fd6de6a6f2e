"""`llm-orc cache`: the answers that agents with `cache` are given again."""
