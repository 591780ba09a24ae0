"""Sound files as recorders, downloads and movies leave them: cut, not closed, of unknown length, without sound."""
import shutil
import struct

import numpy as np
import pytest
import soundfile

from core.audio import decode
from core.audio.io import read_audio
from core.contract import sound_files
from core.errors import BadInput

RATE = 44_100


@pytest.fixture(scope="module")
def sound():
    t = np.arange(RATE * 4) / RATE
    tone = 0.5 * np.sin(2 * np.pi * 440 * t) * np.exp(-np.mod(t, 0.5) * 6)
    return np.stack([tone, 0.8 * tone], 1).astype(np.float32)


def read(path):
    notes = []
    return read_audio(path, notify=notes.append), notes


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_what_is_there_of_a_cut_file_is_used_and_said(tmp_path, sound, suffix):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, sound, RATE)
    whole, notes = read(path)
    assert notes == [] and whole.duration == pytest.approx(4.0, abs=0.01)
    data = path.read_bytes()
    path.write_bytes(data[:len(data) * 6 // 10])
    cut, notes = read(path)
    assert len(notes) == 1 and "is cut" in notes[0] and 1.3 < cut.duration < 2.6
    count = int(1.2 * RATE)
    assert np.abs(cut.samples[:, :count] - whole.samples[:, :count]).max() < 0.1, "what is there is where it was"
    later = read_audio(path, start=1.0)
    assert later.duration == pytest.approx(cut.duration - 1.0, abs=0.02)


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF, 0x7FFFFFFF])
@pytest.mark.parametrize("riff", [False, True])
def test_a_recording_that_was_not_closed_is_read_whole(tmp_path, sound, length, riff):
    path = tmp_path / "a.wav"
    soundfile.write(path, sound, RATE)
    data = bytearray(path.read_bytes())
    at = data.index(b"data")
    data[at + 4:at + 8] = struct.pack("<I", length)
    if riff:
        data[4:8] = struct.pack("<I", length)
    path.write_bytes(data)
    audio, notes = read(path)
    assert audio.duration == pytest.approx(4.0, abs=1e-3) and notes == []
    assert np.abs(audio.samples.T - sound).max() < 1e-3


def test_a_stream_that_does_not_say_its_length(tmp_path, sound):
    """FLAC with 0 samples in its header, as it comes out of a pipe."""
    path = tmp_path / "a.flac"
    soundfile.write(path, sound, RATE)
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26] = b"\0\0\0\0"
    path.write_bytes(data)
    audio, notes = read(path)
    assert audio.duration == pytest.approx(4.0, abs=0.01) and notes == []
    assert read_audio(path, start=3.0, duration=0.5).duration == pytest.approx(0.5, abs=0.01)


def test_channels_in_opposite_phase_are_heard(tmp_path, sound):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([sound[:, 0], -sound[:, 0]], 1), RATE)
    mono = read(path)[0].mono()
    assert np.abs(np.abs(mono) - np.abs(sound[:, 0])).max() < 1e-3


def box(name, *content):
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), name) + body


def movie(*kinds):
    tracks = [box(b"trak", box(b"mdia", box(b"hdlr", b"\0" * 8, kind, b"\0" * 12))) for kind in kinds]
    return box(b"ftyp", b"isom\0\0\0\0") + box(b"mdat", b"\0" * 40) + box(b"moov", box(b"mvhd", b"\0" * 20), *tracks)


def test_movies_without_sound_and_sound_that_needs_ffmpeg_are_told_apart(tmp_path, monkeypatch):
    silent, heard, cut = tmp_path / "silent.mp4", tmp_path / "heard.mp4", tmp_path / "cut.mp4"
    silent.write_bytes(movie(b"vide"))
    heard.write_bytes(movie(b"vide", b"soun"))
    cut.write_bytes(movie(b"vide", b"soun")[:40])
    assert [sound_files.has_sound_track(path) for path in (silent, heard, cut)] == [False, True, None]
    assert not any(sound_files.worker_reads(path) for path in (silent, heard, cut))
    with pytest.raises(BadInput, match="has no sound track"):
        read_audio(silent)
    monkeypatch.setattr(decode.shutil, "which", lambda *names, **options: None)
    for path in (heard, cut):
        with pytest.raises(BadInput, match="ffmpeg is not installed"):
            read_audio(path)
    monkeypatch.setattr(decode.shutil, "which", lambda *names, **options: "ffmpeg")
    with pytest.raises(BadInput, match="damaged MPEG-4"):
        read_audio(cut)


def test_kinds_by_their_first_bytes(tmp_path, sound):
    for suffix in ("wav", "flac", "ogg", "mp3", "aiff", "au"):
        path = tmp_path / f"a.{suffix}"
        soundfile.write(path, sound, RATE)
        assert sound_files.kind(path) == suffix and sound_files.worker_reads(path)
    heads = {b"\xff\xf1P\x80": "aac", b"\xff\xfb\x90\0": "mp3", b"\x1aE\xdf\xa3": "matroska",
             b"0&\xb2u\x8ef\xcf\x11": "asf", b"RIFF\0\0\0\0AVI LIST": "avi", b"\x0bw\0\0": "ac3", b"hello there": ""}
    assert {head: sound_files.kind_of(head) for head in heads} == heads


def test_a_wav_with_its_bytes_the_other_way_round(tmp_path, sound):
    """RIFX, as some recorders write."""
    one, other = tmp_path / "a.wav", tmp_path / "b.wav"
    soundfile.write(one, sound, RATE)
    soundfile.write(other, sound, RATE, endian="BIG")
    assert other.read_bytes()[:4] == b"RIFX" and sound_files.kind(other) == "rifx" and sound_files.worker_reads(other)
    assert np.allclose(read_audio(one).samples, read_audio(other).samples)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg here")
@pytest.mark.parametrize("suffix, codec", [("m4a", "aac"), ("webm", "libopus"), ("wma", "wmav2")])
def test_with_ffmpeg_everything_else_is_read(tmp_path, sound, suffix, codec):
    import subprocess
    soundfile.write(tmp_path / "a.wav", sound, RATE)
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(tmp_path / "a.wav"), "-c:a", codec,
                    str(tmp_path / f"b.{suffix}")],
                   check=True)
    assert read_audio(tmp_path / f"b.{suffix}").duration == pytest.approx(4.0, abs=0.1)


@pytest.mark.parametrize("name", ["text.mp3", "text.wav"])
def test_what_is_no_sound_is_not_said_to_be_absent(tmp_path, name):
    (tmp_path / name).write_text("hello" * 100)
    with pytest.raises(BadInput, match="cannot be read as sound") as caught:
        read_audio(tmp_path / name)
    assert "does not exist" not in str(caught.value)
