"""What an agent has done with its tools: kept as it happens, and gone on with by the next process."""
