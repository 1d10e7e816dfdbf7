"""Cohort manifests: issued per run and round, held against what vaults report, provable customer by customer."""
