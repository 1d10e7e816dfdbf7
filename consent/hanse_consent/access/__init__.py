"""Who may come in: nodes by their keys, people by their accounts; what they may do; what is noted of it."""
