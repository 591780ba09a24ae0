"""Systems that are no models: they show that a row and a folder are all that a system needs."""
