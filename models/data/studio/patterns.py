"""The ten AIST genres as data: drum patterns, basses, layers, harmony and kits that the dance composer draws from.

A pattern is one bar of 16 steps (or two bars of 32): X accent, x hit, o ghost, ? half of the times, . rest.
"""
from dataclasses import dataclass, field

from models.data.studio.drums import (
    CLAP,
    COWBELL,
    HAT,
    KICK,
    OPEN,
    PEDAL,
    RIDE,
    RIM,
    SHAKER,
    SNAP,
    SNARE,
    TAMB,
    TOM_HIGH,
    TOM_LOW,
    TOM_MID,
    ZAP,
)

CONGA_HIGH, CONGA_LOW, BONGO = 62, 64, 60


@dataclass(frozen=True)
class Layer:
    """A melodic or harmonic line. sounds: GM programs or synth names; figures: 16-step patterns (or `melody`, `pad`,
    `arpeggio`, `run`); voices: notes of a chord struck at once, 0 = a single line; level: section energy that lets it in."""

    name: str
    sounds: tuple
    figures: tuple
    centre: int = 60
    voices: int = 3
    length: float = 2.0         # in 16ths
    level: float = 0.0
    chance: float = 1.0
    gain_db: float = 0.0
    reverb: float = 0.2
    duck: float = 0.0
    density: float = 0.5        # melodies


@dataclass(frozen=True)
class Genre:
    """Everything the composer may choose from for a genre."""

    drums: dict                 # GM key -> patterns to choose from
    kits: tuple                 # (kit, weight): "808" ... synthesised, "gm:0" ... FluidR3 kits
    bass: tuple                 # (style, weight)
    bass_sounds: tuple
    layers: tuple
    scales: tuple               # (scale, weight)
    progressions: tuple         # scale degrees, one per bar
    extension: tuple = (3, 4)
    options: dict = field(default_factory=dict)     # key -> chance that an optional drum plays at all
    swing16: tuple = (0.0, 0.5, 0.5)                # chance, low, high
    drum_gain_db: float = 0.0
    bass_gain_db: float = 0.0
    vinyl: float = 0.0          # chance of vinyl noise
    lag_ms: float = 0.0         # how late the snare lies, at most


HATS8, HATS16 = "x.x.x.x.x.x.x.x.", "xoxoxoxoxoxoxoxo"

GENRES = {
    "break": Genre(
        drums={KICK: ("X.x.......xx....", "X.....x...x..x..", "X.x...x...x.....", "X..x..x...x..?..", "X.x....x..xx...."),
               SNARE: ("....X..o.o..X..o", "....X..o.o..X...", "....X.....o.X.o.", "....X..o.o.oX..o"),
               HAT: ("X.o.X.o.X.o.X.o.", "Xox.X.xoX.x.X.o.", "X.x.X.x.X.x.X.x."), OPEN: ("..............x.", "......x.........", "................"),
               RIDE: ("X.o.X.o.X.o.X.o.",), CONGA_HIGH: ("x..x..x.x..x..x.", "x.o.x.xxx.o.x.xx"), BONGO: ("X.ooX.ooX.ooX.oo",),
               COWBELL: ("x...x...x...x...", "x.x.x.x.x.x.x.x.")},
        options={RIDE: 0.3, CONGA_HIGH: 0.4, BONGO: 0.45, COWBELL: 0.3}, kits=(("gm:0", 3), ("gm:8", 3), ("gm:16", 3), ("tight", 1)),
        bass=(("funk", 3), ("riff", 2)), bass_sounds=(33, 34, 33), lag_ms=8, drum_gain_db=5.0, swing16=(0.4, 0.52, 0.58),
        layers=(Layer("horns", (61, 56, 65, 61, 62, 66), ("X..x....X.......", "X...x.X.........", "X.......x.x.X...", "X..x....X...x.x.",
                                                         "....X.x.....X..."), 67, 3, 1.6, 0.35, 0.95, 0.5, 0.25),
                Layer("guitar", (28, 27), ("X..oX..oX..oX..o", "X.xoX.ooX.xoX.oo", "x.o.X.xox.o.X.xo"), 62, 3, 0.8, 0.0, 0.7, -4.0),
                Layer("organ", (16, 17, 18), ("pad", "x.......x..x....", "..x...x...x.x..."), 64, 3, 3.0, 0.3, 0.5, -4.0),
                Layer("sax", (66, 65, 67), ("melody",), 69, 0, 2.0, 0.55, 0.35, 0.0, 0.3, density=0.7)),
        scales=(("dorian", 3), ("mixolydian", 3), ("minor", 1)), extension=(4, 5),
        progressions=((0, 0, 0, 0), (0, 0, 3, 0), (0, 3, 0, 3), (0, 0, 3, 4), (0, 6, 0, 6))),
    "pop": Genre(
        drums={KICK: ("X.....x...x.....", "X..x..x...x.....", "X......x..x...x.", "X.....xx........"),
               SNARE: ("....X.......X...",), CLAP: ("....X.......X...", "....X.......X..x"), HAT: (HATS16, HATS8, "x.xxx.xxx.xxx.xx"),
               OPEN: ("..............x.", "..x.............", "................"), COWBELL: ("x..x..x..x..x...", "..x...x...x.x...", "x.x..x.x..x.x..."),
               ZAP: ("x.......x.......", "......x.......x.", "...x......x....."), TOM_HIGH: ("..........x.x.xx", "..............xx")},
        options={COWBELL: 0.8, ZAP: 0.65, TOM_HIGH: 0.4, SNARE: 0.5}, kits=(("808", 6), ("gm:25", 2), ("gm:24", 1)),
        bass=(("synth16", 3), ("octave", 1), ("funk", 2)), bass_sounds=("synth:acid", "synth:square", 38, 39), bass_gain_db=1.0,
        layers=(Layer("brass", (62, 63, "synth:brass"), ("X..x............", "X.....X...x.....", "..X..X....X..X.."), 64, 4, 1.5, 0.25, 0.8, 1.0),
                Layer("lead", (80, 81, 84, "synth:lead"), ("melody", "x..x..x...x.x..."), 74, 0, 1.5, 0.3, 0.75, 0.0, 0.3, density=0.65),
                Layer("clavi", (7, 81, "synth:pluck"), ("x.xx..x.x.xx..x.", "..x..x.x..x..x.x"), 60, 2, 0.7, 0.0, 0.55, -3.0),
                Layer("pad", (89, 90, 50, "synth:pad"), ("pad",), 62, 4, 16.0, 0.2, 0.5, -5.0, 0.4)),
        scales=(("dorian", 2), ("minor", 3)), progressions=((0, 0, 5, 6), (0, 5, 3, 4), (0, 0, 0, 6), (0, 3, 0, 6), (0, 6, 5, 6)),
        swing16=(0.3, 0.52, 0.58)),
    "lock": Genre(
        drums={KICK: ("X.....o.X.......", "X..o....X.x.....", "X.......X..o..o.", "X...x...X...x..."),
               SNARE: ("....X.......X...", "....X.......X..o"), HAT: (HATS16, "XoxoXoxoXoxoXoxo"), OPEN: ("......x.......x.", "................"),
               TAMB: ("....x.......x...", "x.x.x.x.x.x.x.x."), CONGA_LOW: ("..x..x....x..x..",)},
        options={TAMB: 0.45, CONGA_LOW: 0.3}, kits=(("gm:0", 3), ("gm:8", 2), ("gm:32", 1), ("tight", 2)),
        bass=(("slap", 5), ("funk", 1)), bass_sounds=(36, 37, 36), bass_gain_db=1.0, lag_ms=4, drum_gain_db=4.0,
        layers=(Layer("guitar", (28, 27, 28), ("xoooxoooxoooxooo", "x.oox.oox.oox.oo", "x.xox.oox.xox.oo", "x.oxx.oox.oxx.oo"), 66, 3, 0.6, 0.0, 0.95, -1.0, 0.12),
                Layer("clavinet", (7,), ("X.oox.o.X.oox.oo", "X..oxoo.X..oxoo.", "Xo.oX.ooXo.oX.oo"), 58, 2, 0.7, 0.0, 0.75, -2.0, 0.1),
                Layer("organ", (16, 17), ("pad", "..X...X...X...X."), 67, 3, 2.0, 0.4, 0.55, -3.0),
                Layer("lead", (4, 5, 27), ("melody",), 72, 0, 1.5, 0.5, 0.35, -1.0, density=0.7)),
        scales=(("mixolydian", 4), ("dorian", 2), ("major", 1)), extension=(4, 5),
        progressions=((0, 0, 0, 0), (0, 3, 0, 3), (0, 0, 3, 3), (0, 3, 4, 3), (0, 1, 3, 4)), swing16=(0.3, 0.51, 0.56)),
    "middle-hip-hop": Genre(
        drums={KICK: ("X.....x...x.....", "X..x......x.....", "X.......x.x..?..", "X.x....x..x.....", "X......x.xx....."),
               SNARE: ("....X.......X...", "....X..o....X...", "....X....o..X..."), HAT: (HATS8, "x.x.x.x.x.xxx.x.", "x.xox.x.x.xox.x."),
               OPEN: ("..............x.", "................"), RIM: ("...x......x.....",), SHAKER: (HATS16,)},
        options={RIM: 0.2, SHAKER: 0.25}, kits=(("dusty", 7), ("gm:8", 1)), bass=(("sub", 4), ("riff", 1)), bass_sounds=("synth:sub", 32, 33, "synth:sub"),
        layers=(Layer("keys", (4, 4, 5, 11, 0), ("X.........x.....", "X.....x.........", "X..........x....", "X...........x..."), 62, 4, 5.0, 0.0, 1.0, 1.0, 0.25),
                Layer("loop", (11, 12, 73, 4, 26, 46), ("melody", "arpeggio"), 74, 0, 2.0, 0.2, 0.75, -1.0, 0.4, density=0.35),
                Layer("strings", (48, 49, 52), ("pad",), 64, 3, 16.0, 0.5, 0.35, -5.0, 0.4),
                Layer("horn", (59, 56, 65), ("........X..x....", "x..x............"), 66, 2, 1.5, 0.55, 0.3, -2.0)),
        scales=(("minor", 4), ("dorian", 3)), extension=(4, 5), progressions=((0, 3), (0, 5, 3, 4), (1, 4, 0, 0), (0, 0, 3, 4), (5, 4, 0, 0)),
        swing16=(1.0, 0.54, 0.64), vinyl=0.8, lag_ms=14, drum_gain_db=2.0, bass_gain_db=1.0),
    "la-hip-hop": Genre(
        drums={KICK: ("X.........x.....", "X.....x.........", "X..x......x...x.", "X.........x..x.."), CLAP: ("........X.......",),
               SNAP: ("........X.......", "....x.......x..."), SNARE: ("........X.......",), HAT: ("trap", "trap", "trap8"),
               OPEN: ("..............x.", "......x.........", "................"), RIM: ("......x....x....", "...x..x........."), SHAKER: ("x.x.x.x.x.x.x.x.",)},
        options={SNAP: 0.4, SNARE: 0.4, RIM: 0.4, SHAKER: 0.3}, kits=(("808", 8), ("gm:25", 1)), bass=(("808", 1),),
        bass_sounds=("synth:808", "synth:808", "synth:808drive"), bass_gain_db=3.0,
        layers=(Layer("keys", (5, 4, 88, 10, "synth:keys"), ("pad", "X...............", "X.....x........."), 64, 4, 10.0, 0.0, 0.9, 0.0, 0.45),
                Layer("bells", (8, 9, 10, 11, 14, 112, "synth:pluck"), ("melody", "arpeggio"), 79, 0, 2.0, 0.1, 0.85, 0.0, 0.5, density=0.4),
                Layer("pad", (89, 91, 95, 52, "synth:pad"), ("pad",), 60, 4, 16.0, 0.3, 0.65, -4.0, 0.5),
                Layer("flute", (75, 73, 104), ("melody",), 76, 0, 2.0, 0.5, 0.25, -1.0, 0.5, density=0.3)),
        scales=(("minor", 4), ("harmonic", 1), ("phrygian", 1)), progressions=((0, 5, 3, 4), (0, 0, 5, 5), (5, 6, 0, 0), (0, 3, 5, 4), (3, 4, 0, 0)),
        extension=(3, 4, 5)),
    "house": Genre(
        drums={KICK: ("X...X...X...X...",), CLAP: ("....X.......X...", "....X.......X..o"), OPEN: ("..X...X...X...X.",), HAT: ("Xo.oXo.oXo.oXo.o", HATS16, "..o...o...o...o."),
               SHAKER: (HATS16,), CONGA_LOW: ("...x..x....x..x.", "..x..x..x..x..x."), RIM: ("...x..x...x..x..",), TAMB: ("..x...x...x...x.",)},
        options={SHAKER: 0.5, CONGA_LOW: 0.35, RIM: 0.3, TAMB: 0.2}, kits=(("909", 8), ("gm:24", 1)), bass=(("offbeat", 3), ("house", 3)),
        bass_sounds=("synth:organ", 38, 39, "synth:square", 16),
        layers=(Layer("piano", (0, 1, 2, 1), ("X..x..x.X..x..x.", "X.....x.X..x....", "..X...X...X...X.", "X..x....X.x...x.", "..x.X.....x.X..."), 64, 4, 1.3, 0.15, 0.85, -1.0, 0.3, 0.5),
                Layer("organ", (16, 17, "synth:organ", "synth:stab"), ("..X...X...X...X.", "x..x..x.x..x..x."), 62, 3, 0.9, 0.0, 0.55, -3.0, 0.25, 0.5),
                Layer("pad", (89, 90, 48, 50, "synth:pad"), ("pad",), 62, 4, 16.0, 0.0, 0.75, -3.0, 0.4, 0.75),
                Layer("voice", (53, 54, 85, "synth:lead"), ("melody",), 72, 0, 2.0, 0.5, 0.4, -1.0, 0.4, 0.4, 0.4)),
        scales=(("minor", 3), ("dorian", 2), ("major", 1)), extension=(4, 5), progressions=((0, 5, 2, 6), (0, 3, 5, 4), (0, 0, 3, 3), (5, 6, 0, 0), (3, 4, 0, 0)),
        swing16=(0.6, 0.52, 0.6), drum_gain_db=4.0),
    "waack": Genre(
        drums={KICK: ("X...X...X...X...", "X...X...X...X.x."), SNARE: ("....X.......X...", "....X.......X..o"), OPEN: ("..x...x...x...x.", "..x...x...x.x.x."),
               HAT: ("Xx.xXx.xXx.xXx.x", HATS16), TAMB: ("x.o.x.o.x.o.x.o.", HATS16), CONGA_HIGH: ("..xx..x...xx..x.", "x.xx..xxx.xx..xx"), COWBELL: ("x...x...x...x...",)},
        drum_gain_db=3.0, options={TAMB: 0.6, CONGA_HIGH: 0.6, COWBELL: 0.25}, kits=(("gm:0", 4), ("gm:8", 2), ("gm:16", 1)), bass=(("octave", 4), ("disco", 2)),
        bass_sounds=(33, 34, 33, 38),
        layers=(Layer("strings", (48, 49, 48, 50), ("run", "melody", "X..x..o.X..x..o."), 76, 0, 2.0, 0.1, 1.0, 2.0, 0.35, density=0.7),
                Layer("guitar", (27, 28), ("X.ooX.ooX.ooX.oo", "x.xox.xox.xox.xo", "..x...x...x...x."), 66, 3, 0.7, 0.0, 0.85, -3.0),
                Layer("horns", (61, 56, 62), ("......x.X.......", "X..x..X.........", "............x.x."), 70, 3, 1.4, 0.35, 0.7, 0.0, 0.25),
                Layer("piano", (0, 1, 4), ("X.....x.X.....x.", "x...x...x...x..."), 62, 3, 2.0, 0.0, 0.6, -2.0)),
        scales=(("minor", 3), ("dorian", 1), ("major", 2)), extension=(4,), progressions=((0, 3, 6, 2), (0, 5, 3, 4), (0, 0, 3, 3), (1, 4, 0, 5), (0, 6, 5, 4)),
        swing16=(0.0, 0.5, 0.5)),
    "krump": Genre(
        drums={KICK: ("X.....x.....x...", "X...x.....x.....", "X.xx........x...", "X.....x...x.x..."), SNARE: ("........X.......", "........X.....oo"),
               CLAP: ("........X.......",), HAT: ("X...X...X...X...", "Xo.oXo.oXo.oXo.o"), TOM_LOW: ("x...x...x...x.x.", "X.....x.X...x...", "x...x.o.x...x.oo"),
               TOM_MID: ("......x.......xx", "..............xx"), OPEN: ("................", "....x.......x...")},
        options={CLAP: 0.6, TOM_LOW: 0.9, TOM_MID: 0.5}, kits=(("hard", 8), ("gm:16", 1)), bass=(("stomp", 3), ("sub", 1)),
        bass_sounds=("synth:growl", "synth:growl", "synth:808drive"), bass_gain_db=3.0, drum_gain_db=3.0,
        layers=(Layer("stabs", (61, 55, 48, 29, "synth:brass"), ("X.......X.......", "X...X...X...X...", "X...X...X.......", "X.....o.X...X..."), 55, 3, 2.0, 0.0, 1.0, 2.0, 0.3),
                Layer("choir", (52, 53, 48, 43), ("pad",), 58, 3, 16.0, 0.35, 0.55, -3.0, 0.5),
                Layer("riff", (29, 30, 81, 44, "synth:lead"), ("melody", "X.x.X...X.x....."), 58, 0, 1.6, 0.3, 0.7, -1.0, 0.2, density=0.5)),
        scales=(("phrygian", 4), ("harmonic", 3), ("minor", 1)), extension=(3,), progressions=((0, 0, 1, 0), (0, 0, 0, 1), (0, 5, 0, 4), (0, 0, 5, 6))),
    "street-jazz": Genre(
        drums={KICK: ("X.......X.x.....", "X.....x.X.......", "X.......X.......", "X..x....X.x....."), SNARE: ("....X.......X...",), CLAP: ("....X.......X...",),
               HAT: (HATS8, "x.x.x.x.x.x.x.x.", "xxx.x.x.xxx.x.x."), OPEN: ("................", "......x.......x."), SNAP: ("....x.......x...",), SHAKER: (HATS16, HATS8)},
        options={CLAP: 0.6, SNAP: 0.3, SHAKER: 0.4}, kits=(("tight", 4), ("909", 3), ("gm:24", 1), ("gm:16", 1)),
        bass=(("root8", 4), ("pop", 2)), bass_sounds=("synth:bass", 38, 33, 39, "synth:bass"),
        layers=(Layer("guitar", (25, 24, 25), ("x.xx..xxx.xx..xx", "x...x.xx..x.x.xx", "x.x.x.x.x.x.x.x."), 62, 4, 1.6, 0.0, 0.9, 0.0, 0.2),
                Layer("plucks", ("synth:pluck", "synth:stab", 45, 5), ("arpeggio", "x..x..x.x..x..x."), 72, 2, 1.2, 0.3, 0.75, 0.0, 0.35),
                Layer("pad", ("synth:saws", 50, 90, "synth:saws"), ("pad",), 64, 4, 16.0, 0.25, 0.75, -2.0, 0.4, 0.3),
                Layer("voice", (53, 54, 85, 65, 22, "synth:lead"), ("melody",), 72, 0, 2.0, 0.25, 0.85, 1.5, 0.35, density=0.5)),
        scales=(("major", 5), ("mixolydian", 1)), progressions=((0, 4, 5, 3), (5, 3, 0, 4), (0, 5, 3, 4), (3, 0, 4, 5), (0, 2, 3, 4)), extension=(3, 3, 4)),
    "ballet-jazz": Genre(
        drums={KICK: ("x.......x.......", "x.........x.....", "x..............."), RIDE: ("x...x.xxx...x.xx", "x.x.x.x.x.x.x.x.", "x...x...x...x..."),
               SNARE: ("....x..o....x..o", "....o.......o..."), PEDAL: ("....x.......x...",), SHAKER: (HATS8,)},
        options={RIDE: 0.75, SNARE: 0.7, PEDAL: 0.6, SHAKER: 0.3, KICK: 0.7}, kits=(("gm:40", 5), ("gm:32", 3), ("soft", 1)),
        bass=(("walk", 2), ("two", 3)), bass_sounds=(32, 32, 35, 43),
        layers=(Layer("piano", (0, 0, 1), ("broken", "broken", "X...x...X...x...", "x.x.x.x.x.x.x.x."), 60, 3, 2.5, 0.0, 1.0, 3.0, 0.35),
                Layer("strings", (48, 49, 48, 44), ("pad",), 66, 4, 16.0, 0.1, 0.85, -1.5, 0.45),
                Layer("melody", (73, 68, 71, 40, 42, 69, 11), ("melody",), 76, 0, 2.0, 0.2, 0.9, 1.5, 0.45, density=0.4),
                Layer("harp", (46, 11, 45), ("arpeggio", "X.......x......."), 70, 2, 2.0, 0.45, 0.5, -2.0, 0.5)),
        scales=(("major", 4), ("minor", 2)), extension=(4, 4, 5), progressions=((0, 5, 1, 4), (1, 4, 0, 5), (0, 3, 1, 4), (0, 2, 5, 4), (3, 4, 2, 5)),
        drum_gain_db=-5.0, bass_gain_db=0.5),
}
