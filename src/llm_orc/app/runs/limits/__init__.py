"""The limits of a run: its budgets, with what earlier processes have spent, and what they can't be kept for."""
