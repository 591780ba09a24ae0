"""The events of standard MIDI files, for what reads drummers and scores.

Format: Standard MIDI Files 1.0, format 0 or 1 with ticks a quarter.
"""
import struct

META = 0xFF
NOTE_OFF, NOTE_ON = 8, 9        # upper half of the status, whose lower half is the channel
SHORT = (0xC, 0xD)              # kinds of messages with one byte of data; other messages of channels have two


def read_events(data):
    """(ticks a quarter, [[(tick, status, data)] a track]) of a file's bytes; data of a meta event (`META`) begins with
    its kind.

    Raises ValueError, IndexError or struct.error when the file is damaged or counts frames.
    """
    if data[:4] != b"MThd":
        raise ValueError("no header")
    count, division = struct.unpack(">HH", data[10:14])
    if division & 0x8000:
        raise ValueError("its clock counts frames")
    place, tracks = 14, []
    for _ in range(count):
        end = place + 8 + struct.unpack(">I", data[place + 4:place + 8])[0]
        tracks.append(list(_events(data, place + 8, end)))
        place = end
    return division, tracks


def _events(data, place, end):
    time, status = 0, 0
    while place < end:
        passed, place = _number(data, place)
        time += passed
        if data[place] & 128:
            status, place = data[place], place + 1
        first = place
        if status >= 0xF0:                                      # a meta event has its kind before its length
            kind = data[place:place + 1] if status == META else b""
            length, first = _number(data, place + len(kind))
            place = first + length
        else:
            kind = b""
            place += 1 if status >> 4 in SHORT else 2
        if place > len(data):
            raise ValueError("it is cut off")
        yield time, status, kind + data[first:place]


def _number(data, place):
    value = 0
    while True:
        byte, place = data[place], place + 1
        value = value << 7 | byte & 127
        if byte < 128:
            return value, place
