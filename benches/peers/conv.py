#!/usr/bin/env python3
"""Runs `atelier bench conv` and PyTorch in turn on this machine and prints a table of medians and of their ratios.

Usage: conv.py ATELIER [PYTHON] [ROUNDS] [--onnx]

PYTHON has torch; --onnx adds onnxruntime's inference. The ratio is the median of each round's ratio.
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
    theirs.append(run(python, str(peer), *sys.argv[4:]))
print(f"{'':34} {'Atelier ms':>11} {'peer ms':>11} {'ratio':>7}")
for key in theirs[0]:
    mine = key.replace("_onnxruntime", "")
    ratio = statistics.median(b[key] / a[mine] for a, b in zip(ours, theirs))
    medians = [statistics.median(run[k] for run in runs) for k, runs in ((mine, ours), (key, theirs))]
    print(f"{key.removesuffix('_ms'):34} {medians[0]:11.2f} {medians[1]:11.2f} {ratio:6.2f}×")
