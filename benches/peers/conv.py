#!/usr/bin/env python3
"""Runs `atelier bench conv` and PyTorch in turn on this machine and prints a table of medians and of their ratios.

Usage: conv.py ATELIER [PYTHON] [ROUNDS]   (PYTHON has torch; the median ratio is the median of each round's ratio)
"""
import json
import pathlib
import statistics
import subprocess
import sys

program = sys.argv[1]
python = sys.argv[2] if len(sys.argv) > 2 else sys.executable
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
peer = pathlib.Path(__file__).with_name("torch_train.py")


def run(*command):
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


ours, theirs = [], []
for _ in range(rounds):
    ours.append(run(program, "bench", "conv", "--all", "--json"))
    theirs.append(run(python, str(peer)))
print(f"{'':24} {'Atelier ms':>11} {'PyTorch ms':>11} {'ratio':>7}")
for key in theirs[0]:
    ratio = statistics.median(b[key] / a[key] for a, b in zip(ours, theirs))
    medians = [statistics.median(run[key] for run in runs) for runs in (ours, theirs)]
    print(f"{key.removesuffix('_ms'):24} {medians[0]:11.2f} {medians[1]:11.2f} {ratio:6.2f}×")
