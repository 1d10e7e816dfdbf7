"""What vaults and centres say of privacy budgets, for the people who decide on runs."""
