"""The vault: the resident process of one partner that alone touches data, keys and ledger."""
