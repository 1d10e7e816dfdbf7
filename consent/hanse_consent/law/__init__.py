"""Law as data: versioned packs of rules, and what each rule refuses, excludes, demands or times."""
