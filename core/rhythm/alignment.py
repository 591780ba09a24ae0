"""How well a result's music and body agree, always beside what chance would give (systems.md 10.2)."""
from models.lab.metrics.beat_align import align_score, beat_f1_70ms, shift_null


def alignment(body_beats, music_beats, duration):
    """Scores of body beats (s) against music beats (s) over a passage of `duration` seconds; JSON-ready.

    score: beat-align score, sigma 50 ms, body -> music. f1: F1 of one-to-one matches within 70 ms, same metrical level.
    chance, f1_chance: mean of the same with the body rolled round the passage.
    """
    chance = shift_null(body_beats, music_beats, duration)[0] if duration > 0 else 0.0
    f1_chance = shift_null(body_beats, music_beats, duration, beat_f1_70ms)[0] if duration > 0 else 0.0
    return {"score": round(align_score(body_beats, music_beats), 4), "chance": round(chance, 4),
            "f1": round(beat_f1_70ms(body_beats, music_beats), 4), "f1_chance": round(f1_chance, 4),
            "body_beats": len(body_beats), "music_beats": len(music_beats)}
