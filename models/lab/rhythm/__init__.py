"""Training music for the beat networks that was not composed by the studio: real scores, human drumming, dance
forms."""
