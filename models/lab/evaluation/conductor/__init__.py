"""Scores of the conductor: rows, experiments, ablations, report."""
