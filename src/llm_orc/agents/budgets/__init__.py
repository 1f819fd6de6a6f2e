"""What may be spent: ceilings, and the budgets that keep to them."""
