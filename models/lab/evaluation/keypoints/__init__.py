"""Conducting as published: key points from published mels, scored in the published and in the corrected forms."""
