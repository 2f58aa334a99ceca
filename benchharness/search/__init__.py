"""One search: its loop, what it measures, and how an architecture is derived."""
