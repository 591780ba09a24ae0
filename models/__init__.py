"""The systems of the literature that Baton implements, one folder each, and what they share."""
