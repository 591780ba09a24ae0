"""A blind rating sheet: pairs of hidden origin in a local web page, results as CSV with intervals.

A folder of material holds one folder a source (a system, the real pair, another clip's result), in it one file a clip:

    MATERIAL/SOURCE/CLIP.wav       with MATERIAL/motion/CLIP.bvh|npz|pkl    music to a motion
    MATERIAL/SOURCE/CLIP.npz       with MATERIAL/sound/CLIP.wav             motion to a piece of music
    MATERIAL/SOURCE/CLIP.wav, .npz                                          both

`material.py` finds it, and makes it from the systems of the registry; `server.py` asks; `results.py` counts.
"""
