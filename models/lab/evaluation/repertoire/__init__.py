"""Scores of My Moves: evaluate (rows and command line)."""
