"""The example leagues, run from end to end on one machine, and an oracle that owns all the data."""
