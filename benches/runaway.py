"""Whether notes that are held for long run away into noise: `runaway.py ATELIER [COUNT]` plays COUNT notes (100) of ten
seconds, every instrument and key in turn with other seeds, and compares each second with the loudest of the first two.
Needs numpy. A note has run away when a later second is twice as loud (6 dB), or flatter than -6 dB: the geometric mean of
its spectrum beside the arithmetic one, which is 0 dB for white noise and below -15 dB for any note of these instruments.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy

RATE = 16_000
SECONDS = 10
NAMES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]


def samples_of(path):
    """A WAV file of 24 bits."""
    data = path.read_bytes()
    at = 12
    while data[at:at + 4] != b"data":
        size = int.from_bytes(data[at + 4:at + 8], "little")
        at += 8 + size + size % 2
    size = int.from_bytes(data[at + 4:at + 8], "little")
    parts = numpy.frombuffer(data, numpy.uint8, size // 3 * 3, at + 8).reshape(-1, 3).astype(numpy.int32)
    return ((parts[:, 0] << 8 | parts[:, 1] << 16 | parts[:, 2] << 24) >> 8) / 2**23


def flatness_db(second):
    power = numpy.abs(numpy.fft.rfft(second * numpy.hanning(len(second))))[20:] ** 2 + 1e-12
    return 10 * (numpy.log10(power).mean() - numpy.log10(power.mean()))


def main():
    atelier, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100
    ran_away = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "note.wav"
        for index in range(count):
            instrument, key = index % 8, 36 + index * 7 % 49
            name = f"{NAMES[key % 12]}{key // 12 - 1}"
            subprocess.run(
                [atelier, "audio", "--instrument", str(instrument), "--notes", f"{name}:{SECONDS}", "--seconds",
                 str(SECONDS), "--seed", str(index), "--out", str(path)],
                check=True, capture_output=True)
            seconds = samples_of(path)[:SECONDS * RATE].reshape(SECONDS, RATE)
            level = 10 * numpy.log10((seconds ** 2).mean(1) + 1e-12)
            flat = [flatness_db(second) for second in seconds]
            louder = level[2:].max() - level[:2].max()
            # What is nearly silent may be as flat as it likes.
            flattest = max((f for f, loud in zip(flat[2:], level[2:]) if loud > level[:2].max() - 30), default=-99)
            told = f"louder by {louder:6.1f} dB, flatness {flattest:6.1f} dB"
            print(f"{index:3} instrument {instrument} {name:4} {told}", flush=True)
            if louder > 6 or flattest > -6:
                ran_away.append((index, instrument, name))
    print(json.dumps({"notes": count, "ran_away": ran_away}))
    sys.exit(bool(ran_away))


if __name__ == "__main__":
    main()
