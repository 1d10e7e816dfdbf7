"""A partner's own data: the contract it is read by, its checks, and the vault database it becomes."""
