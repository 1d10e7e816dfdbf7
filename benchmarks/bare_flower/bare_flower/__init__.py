"""A plain Flower app that takes the churn run's training step, without Hanse."""
