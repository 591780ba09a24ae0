"""My Moves: dances put together from real moves on a song's beats. Nothing is trained; the rule with which learned
dances are compared.

label     a move's beats: its own steady grid (or markers), each drawn to the accent next to it
library   all moves in one table: how a body looks at any instant; the moves in a file
music     bars of the song: how lively, which are alike, where a section begins
phrases   what can be danced to a stretch of music within 12 % of its own tempo
search    beam search over bars: joins, tempo, energy, accents, variety, structure, place on the floor
perform   phrases warped onto the song's beats, set down one after the other, joined by inertialisation
pipeline  `MyMoves`

After corpus.md's measurement that real dancers leave and enter each other's moves at a distance of about 10 cm, motion
graphs (Kovar et al. 2002), and dances by rhythm and intensity (Shiratori et al. 2006).
"""
