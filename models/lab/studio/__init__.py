"""The studio: music and motion made together from a plan, so that their beats are known."""
