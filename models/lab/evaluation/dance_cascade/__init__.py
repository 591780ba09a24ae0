"""Scores of the dancer: `scoring` (what is measured), `evaluate` (rows and report), `sheets` (pictures)."""
