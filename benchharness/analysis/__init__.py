"""What runs say, as data frames: looked up, correlated, compared."""
