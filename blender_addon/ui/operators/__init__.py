"""Operators of the panel and the preferences."""
