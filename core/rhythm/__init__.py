"""Beats: the times, the decoder that finds them, how well two lists of them agree."""
