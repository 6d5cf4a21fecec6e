#!/usr/bin/env python3
"""PyTorch's times for the networks of `atelier bench conv --all`: one JSON line, medians in milliseconds."""
import json
import statistics
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(2)
BATCH, BASE, CHANNELS = 32, 48, 32


def median_ms(work, runs=7):
    for _ in range(2):
        work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def training_step(parameters, forward):
    optimiser = torch.optim.AdamW(parameters, 1e-4)

    def step():
        loss = forward().square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def leaky():
    return nn.LeakyReLU(0.2)


def doubled():
    return nn.Upsample(scale_factor=2)


widths = [3, BASE, 2 * BASE, 4 * BASE, 8 * BASE]
critic = nn.Sequential(*[m for a, b in zip(widths, widths[1:]) for m in (nn.Conv2d(a, b, 4, 2, 1), leaky())])
generator = nn.Sequential(
    nn.Conv2d(4 * BASE, 4 * BASE, 3, 1, 1), leaky(), doubled(),
    nn.Conv2d(4 * BASE, 2 * BASE, 3, 1, 1), leaky(), doubled(),
    nn.Conv2d(2 * BASE, BASE, 3, 1, 1), leaky(), doubled(),
    nn.Conv2d(BASE, 3, 3, 1, 1))
images, noise = torch.randn(BATCH, 3, 64, 64), torch.randn(BATCH, 4 * BASE, 8, 8)
taps = nn.ModuleList([nn.Conv1d(CHANNELS, 2 * CHANNELS, 2, dilation=1 << i) for i in range(10)])
mixes = nn.ModuleList([nn.Conv1d(CHANNELS, CHANNELS, 1) for _ in range(10)])
sound = torch.randn(4, CHANNELS, 8000)


def wavenet():
    h = sound
    for i, (tap, mix) in enumerate(zip(taps, mixes)):
        y = tap(F.pad(h, (1 << i, 0)))
        h = h + mix(y[:, :CHANNELS].tanh() * y[:, CHANNELS:].sigmoid())
    return h


networks = {
    "critic": (list(critic.parameters()), lambda: critic(images)),
    "generator": (list(generator.parameters()), lambda: generator(noise)),
    "wavenet": ([*taps.parameters(), *mixes.parameters()], wavenet),
}
measured = {}
for name, (parameters, forward) in networks.items():
    measured[f"{name}_step_ms"] = median_ms(training_step(parameters, forward))
    with torch.inference_mode():
        measured[f"{name}_inference_ms"] = median_ms(forward)
print(json.dumps(measured))
