"""Scores of the music model: rows, sheets, seams, vocoder, report."""
