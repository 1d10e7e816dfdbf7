"""Questions that anyone may ask of the league: terms, predicted error, answer in a table and a picture."""
