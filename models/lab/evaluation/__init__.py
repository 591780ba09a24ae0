"""Scores of the systems with the rows that expose them."""
