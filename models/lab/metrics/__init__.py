"""Scores of the field in their published form next to honest ones, each with the row that exposes it.

    beat_align   beat scores in seconds: chance level, circular-shift null, lift, F1 at 70 ms, published variants
    onset_flags  BCS / BHS / CSD / HSD / F1 in both published definitions
    pairing      does music i fit body i better than the other bodies? permutation test
    frechet      Frechet distance, FGD in both forms, diversity, z-scores
    kinetic      72 kinetic features (FID_k);  manual: 32 boolean features (FID_g)
    dance        FID_k, FID_g, Div_k, Div_g and PFC of lists of motions
    motion       PFC, foot slide, jerk, bone-length deviation, SDP
    conducting   ictus, strokes and loudness, MSE, RDE, SCE with mean-pose and mismatched rows
    audio        fd_logmel, loudness, true peak, clicks, pulse, gaps, harmonic share
"""
