"""Scores of MoMu beside the rows that expose them.

records    what is made, and what is heard and seen in it, one JSON record a piece
figures    records of a row -> its figures
parts      the motion VAE
contrast   the rhythmic contrast
report     tables and the plot of T_c
ablations  the paper's, at a small equal budget
filters    what a linear filter knows of a denoiser's target, beside those
sheets     poses under mels
evaluate   the command line
"""
