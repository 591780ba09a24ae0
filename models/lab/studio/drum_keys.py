"""The drums by their keys: General MIDI, and three of our own below it."""
KICK, SNARE, CLAP, RIM, HAT, PEDAL, OPEN, CRASH, RIDE = 36, 38, 39, 37, 42, 44, 46, 49, 51
TOM_LOW, TOM_MID, TOM_HIGH, COWBELL, SHAKER, TAMB, SNAP, ZAP, RISER = 45, 47, 50, 56, 70, 54, 27, 28, 29
CONGA_HIGH, CONGA_LOW, BONGO = 62, 64, 60
