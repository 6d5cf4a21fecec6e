#!/usr/bin/env python3
"""Runs `atelier bench amp` and NeuralAmpModelerCore's `benchmodel` in turn on one core, and prints medians and ratios.

Usage: amp.py ATELIER BENCHMODEL [ROUNDS]

BENCHMODEL is built from sdatkinson/NeuralAmpModelerCore with `-Ofast -march=x86-64-v3 -DNDEBUG -DNAM_ENABLE_A2_FAST`. The
captures are those of tests/fixtures/nam; its A2.nam plays in the full size in both.
"""
import json
import pathlib
import re
import statistics
import subprocess
import sys

program, peer = sys.argv[1:3]
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 7
captures = pathlib.Path(__file__).parents[2] / "tests/fixtures/nam"
# benchmodel plays two seconds in buffers of 64 samples, as `bench amp` does.
BUFFERS = 2 * 48_000 // 64


def output(*command):
    return subprocess.run(["taskset", "-c", "0", *command], check=True, stdout=subprocess.PIPE, text=True).stdout


def theirs(path):
    said = output(peer, "--no-fast-tanh", path)
    return float(re.search(r"([0-9.]+)ms\s*$", said.strip()).group(1)) * 1e3 / BUFFERS


print(f"{'µs for 64 samples':22} {'Atelier':>9} {'peer':>9} {'ratio':>7}")
for name in ["wavenet_a1_standard", "A2", "wavenet_a2_max", "lstm"]:
    path = str(captures / f"{name}.nam")
    pairs = []
    for _ in range(rounds):
        ours = json.loads(output(program, "bench", "amp", path, "--runs", "1", "--json"))[path]
        pairs.append((ours, theirs(path)))
    a, b = (statistics.median(pair[i] for pair in pairs) for i in range(2))
    print(f"{name:22} {a:9.1f} {b:9.1f} {statistics.median(b / a for a, b in pairs):6.2f}×")
