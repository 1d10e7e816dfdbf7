"""What vaults say of their privacy budgets, for the people who decide on runs."""
