"""What the notes of a sound model are worth beside those of the soundfont that it learnt from:

    notes.py ATELIER SOUNDFONT [--model MODEL] [--noise N ...] [--temperature T] [--picture FILE.png]

plays every instrument of the model `notes` at each of its 49 keys (C2 to C6) for 0.8 s at velocity 90, and says

- how many a classifier calls by their right name: a support vector machine on mel spectra of the first half second and their
  loudness, trained on FluidSynth's notes of the soundfont at other velocities, as they are and with noise added;
- how many are within 50 cents of their pitch;
- how loud what lies between the harmonics is beside the note, in decibels, of the generated and of the real notes.

Needs numpy, scipy, scikit-learn, Pillow and the program fluidsynth. The picture has C4 of each, 55 Hz to 8 kHz, 70 dB.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from runaway import NAMES, RATE, samples_of

INSTRUMENTS = {"Piano": 0, "Vibraphone": 11, "Organ": 16, "Guitar": 24, "Cello": 42, "Trumpet": 56, "Clarinet": 71, "Flute": 73}
# The organ's lowest stop sounds an octave below its keys.
OCTAVES = {"Organ": -1}
KEYS = range(36, 85)
HELD_S, SLOT_S = 0.8, 2.1
HELD = int(HELD_S * RATE)


def hz(name, key):
    return 440 * 2 ** ((key - 69) / 12 + OCTAVES.get(name, 0))


def cut(samples):
    """Notes that begin every SLOT_S seconds, while they are held: (keys, samples)."""
    starts = [int(index * SLOT_S * RATE) for index in range(len(KEYS))]
    padded = np.pad(samples, (0, HELD))
    return np.stack([padded[start:start + HELD] for start in starts])


def real(soundfont, velocity, folder):
    """FluidSynth's notes: (instruments, keys, samples)."""
    def number(value):
        parts = [value & 127]
        while value := value >> 7:
            parts.append(128 | value & 127)
        return bytes(reversed(parts))

    ticks, sounds = 960, []
    for program in INSTRUMENTS.values():
        track = bytes([0, 0xC0, program])
        for index, key in enumerate(KEYS):
            track += number(round((SLOT_S - HELD_S) * ticks) if index else 0) + bytes([0x90, key, velocity])
            track += number(round(HELD_S * ticks)) + bytes([0x80, key, 0])
        track += number(ticks) + b"\xff\x2f\x00"
        midi, wav = folder / "real.mid", folder / "real.wav"
        head = b"MThd" + (6).to_bytes(4, "big") + bytes([0, 0, 0, 1]) + (ticks // 2).to_bytes(2, "big")
        midi.write_bytes(head + b"MTrk" + len(track).to_bytes(4, "big") + track)
        subprocess.run(
            ["fluidsynth", "-ni", "-R", "0", "-C", "0", "-r", "48000", "-g", "0.6", "-O", "s24", "-T", "wav",
             "-F", str(wav), str(soundfont), str(midi)], check=True, capture_output=True)
        stereo = samples_of(wav)
        sounds.append(cut(resample_poly(stereo.reshape(-1, 2).mean(1), 1, 48_000 // RATE)))
    return np.stack(sounds)


def generated(atelier, model, temperature, noise, folder):
    sounds, wav = [], folder / "note.wav"
    notes = " ".join(f"{NAMES[key % 12]}{key // 12 - 1}:{HELD_S} R:{SLOT_S - HELD_S:.1f}" for key in KEYS)
    for instrument in range(len(INSTRUMENTS)):
        subprocess.run(
            [atelier, "audio", "--model", model, "--instrument", str(instrument), "--notes", notes, "--seed", "1",
             "--temperature", str(temperature), "--noise", str(noise), "--out", str(wav)], check=True, capture_output=True)
        sounds.append(cut(samples_of(wav)))
    return np.stack(sounds)


def mel_filters(count=40, size=1024):
    def mel(f):
        return 2595 * np.log10(1 + f / 700)

    edges = 700 * (10 ** (np.linspace(mel(50), mel(7_800), count + 2) / 2595) - 1)
    f = np.fft.rfftfreq(size, 1 / RATE)
    rows = zip(edges, edges[1:], edges[2:])
    return np.stack([np.clip(np.minimum((f - a) / (b - a), (c - f) / (c - b)), 0, None) for a, b, c in rows])


FILTERS = mel_filters()


def features(note):
    note = note[:RATE // 2]
    note = note / (np.sqrt((note ** 2).mean()) + 1e-9)
    frames = np.stack([note[at:at + 1024] * np.hanning(1024) for at in range(0, len(note) - 1023, 436)])
    spectra = np.log(np.abs(np.fft.rfft(frames, axis=1)) ** 2 @ FILTERS.T + 1e-2)
    parts = [spectra[a:b].mean(0) for a, b in ((0, 2), (2, 5), (5, 9), (9, None))]
    return np.concatenate(parts + [np.log((frames ** 2).mean(1) + 1e-4)])


def classifier(soundfont, folder):
    rng, rows, names = np.random.default_rng(0), [], []
    for velocity in (60, 75, 105, 120):
        for index, notes in enumerate(real(soundfont, velocity, folder)):
            for note in notes:
                rows.append(features(note))
                for snr_db in (30, 22, 15):
                    noise = rng.standard_normal(len(note))
                    if rng.random() < 0.5:
                        noise = np.convolve(noise, [1, 0.85], "same")
                    noise *= np.sqrt((note ** 2).mean() / (noise ** 2).mean()) * 10 ** (-snr_db / 20)
                    rows.append(features(note + noise))
                names += [index] * 4
    return make_pipeline(StandardScaler(), SVC(C=10, gamma="scale")).fit(np.array(rows), names)


def named_right(judge, sounds):
    """Per instrument."""
    right = [(judge.predict([features(note) for note in notes]) == index).mean() for index, notes in enumerate(sounds)]
    return dict(zip(INSTRUMENTS, right))


def in_tune(sounds):
    """The share whose harmonics fit a pitch within 50 cents better than those up to 100 cents away."""
    right, size = [], 1 << 17
    cents = np.arange(-100, 101, 4)
    f = np.fft.rfftfreq(size, 1 / RATE)
    for name, notes in zip(INSTRUMENTS, sounds):
        for key, note in zip(KEYS, notes):
            part = note[RATE // 5:3 * RATE // 4]
            spectrum = np.log(np.abs(np.fft.rfft(part * np.hanning(len(part)), size)) + 1e-9)
            key_hz = 440 * 2 ** ((key - 69) / 12)
            harmonics = [h for h in range(1, 9) if key_hz * h < 7_500]
            fits = [np.mean([np.interp(key_hz * 2 ** (c / 1200) * h, f, spectrum) for h in harmonics]) for c in cents]
            right.append(abs(cents[int(np.argmax(fits))]) <= 50)
    return float(np.mean(right))


def between_db(name, key, note, hop=40):
    """What is left of a note, but its first 0.2 s, when its harmonics are taken out, as they go under Hann windows of four
    periods of the lowest, 40 to 60 ms."""
    lowest = hz(name, key)
    size = int(np.clip(4 / lowest, 0.04, 0.06) * RATE) // 2 * 2
    window = np.hanning(size + 1)[:-1]
    padded = np.pad(note, size)
    places = np.arange(len(note) // hop + 1)
    parts = np.stack([padded[size // 2 + place * hop:][:size] for place in places])
    cover = np.array([window[max(0, size // 2 - place * hop):].sum() for place in places])
    rest, t = note.copy(), np.arange(len(note))
    for harmonic in range(1, int(0.4625 * RATE / lowest) + 1):
        turn = 2 * np.pi * harmonic * lowest / RATE
        found = parts @ (window * np.exp(-1j * turn * np.arange(size))) / cover * 2
        found *= np.exp(-1j * turn * (places * hop - size // 2))
        smooth = np.interp(t / hop, places, found.real) + 1j * np.interp(t / hop, places, found.imag)
        rest -= (smooth * np.exp(1j * turn * t)).real
    part = slice(RATE // 5, None)
    return 10 * np.log10((rest[part] ** 2).sum() / ((note[part] ** 2).sum() + 1e-20) + 1e-12)


def between(sounds):
    """Decibels per instrument, on average over every fourth key."""
    return {
        name: float(np.mean([between_db(name, KEYS[at], notes[at]) for at in range(0, len(KEYS), 4)]))
        for name, notes in zip(INSTRUMENTS, sounds)
    }


def picture(path, rows):
    """Spectrograms of C4, a row for each of {title: sounds}."""
    from PIL import Image, ImageDraw, ImageFont

    wide, high, gap, head = 150, 170, 10, 24
    stops = np.array([[0, 0, 0], [60, 8, 40], [150, 30, 80], [235, 90, 80], [255, 175, 95], [255, 250, 200]], float)
    image = Image.new("RGB", (gap + len(INSTRUMENTS) * (wide + gap), len(rows) * (high + head) + gap), "#faf9f5")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(12)
    edges = 55 * 2 ** np.linspace(np.log2(8_000 / 55), 0, high)
    for row, (title, sounds) in enumerate(rows.items()):
        for column, (name, notes) in enumerate(zip(INSTRUMENTS, sounds)):
            note = np.pad(notes[60 - KEYS[0]], 1024)
            at = np.linspace(0, len(note) - 2048, wide).astype(int)
            power = np.abs(np.fft.rfft(np.stack([note[a:a + 2048] * np.hanning(2048) for a in at]), 1 << 14, axis=1)) ** 2
            bins = np.clip(edges / RATE * (1 << 14), 0, power.shape[1] - 1).astype(int)
            level = 10 * np.log10(power[:, bins].T + 1e-12)
            share = np.clip((level - level.max() + 70) / 70, 0, 1) * (len(stops) - 1)
            low = np.minimum(share.astype(int), len(stops) - 2)
            rgb = stops[low] + (stops[low + 1] - stops[low]) * (share - low)[..., None]
            x, y = gap + column * (wide + gap), head + row * (high + head)
            image.paste(Image.fromarray(rgb.astype(np.uint8)), (x, y))
            draw.text((x, y - 18), f"{name}, {title}", fill="#333", font=font)
    image.save(path, optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("atelier")
    parser.add_argument("soundfont", type=Path)
    parser.add_argument("--model", default="notes")
    parser.add_argument("--noise", type=float, nargs="+", default=[0.1])
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--picture", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        judge, notes = classifier(asked.soundfont, folder), real(asked.soundfont, 90, folder)
        told = {"real": notes}
        for noise in asked.noise:
            told[f"noise {noise}"] = generated(asked.atelier, asked.model, asked.temperature, noise, folder)
    for name, sounds in told.items():
        right, rest = named_right(judge, sounds), between(sounds)
        print(json.dumps({
            "notes": name,
            "named_right_percent": round(100 * float(np.mean(list(right.values()))), 1),
            "by_instrument": {key: round(100 * float(value)) for key, value in right.items()},
            "within_50_cents_percent": round(100 * in_tune(sounds), 1),
            "between_harmonics_db": {key: round(value, 1) for key, value in rest.items()},
        }), flush=True)
    if asked.picture:
        picture(asked.picture, {"real": notes, "generated": told[f"noise {asked.noise[0]}"]})


if __name__ == "__main__":
    main()
