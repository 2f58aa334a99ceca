"""Plans searches, runs them, and repeats them."""
