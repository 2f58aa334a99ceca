"""Planning, running and repeating searches."""
