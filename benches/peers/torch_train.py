#!/usr/bin/env python3
"""PyTorch's times for the networks of `atelier bench conv --all`: one JSON line, medians in milliseconds.

With --onnx also the inference times of onnxruntime (packages onnx and onnxruntime).
"""
import json
import statistics
import sys
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


def dcgan():
    """Radford et al. 2016: 64 base channels, batch 64; one step trains both networks."""
    g, d = [100, 512, 256, 128, 64, 3], [3, 64, 128, 256, 512, 1]
    make, tell = [], []
    for i in range(5):
        make.append(nn.ConvTranspose2d(g[i], g[i + 1], 4, 2 if i else 1, 1 if i else 0, bias=False))
        make += [nn.BatchNorm2d(g[i + 1]), nn.ReLU(True)] if i < 4 else [nn.Tanh()]
        tell.append(nn.Conv2d(d[i], d[i + 1], 4, 2 if i < 4 else 1, 1 if i < 4 else 0, bias=False))
        tell += [nn.BatchNorm2d(d[i + 1])] if 0 < i < 4 else []
        tell += [nn.LeakyReLU(0.2, True)] if i < 4 else []
    make, tell = nn.Sequential(*make), nn.Sequential(*tell)
    real, z = torch.randn(64, 3, 64, 64), torch.randn(64, 100, 1, 1)
    to_make = torch.optim.Adam(make.parameters(), 2e-4, (0.5, 0.999))
    to_tell = torch.optim.Adam(tell.parameters(), 2e-4, (0.5, 0.999))

    def step():
        made = make(z)
        loss = F.softplus(-tell(real)).mean() + F.softplus(tell(made.detach())).mean()
        to_tell.zero_grad()
        loss.backward()
        to_tell.step()
        tell.requires_grad_(False)
        loss = F.softplus(-tell(made)).mean()
        to_make.zero_grad()
        loss.backward()
        to_make.step()
        tell.requires_grad_(True)

    measured["dcgan_step_ms"] = median_ms(step)
    make.eval()
    with torch.inference_mode():
        measured["dcgan_inference_ms"] = median_ms(lambda: make(z))
    return make, z


networks["dcgan"] = (None, dcgan())
if "--onnx" in sys.argv:
    # The same networks in onnxruntime, inference alone.
    import tempfile

    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    make, z = networks["dcgan"][1]
    for name, network, x in [("critic", critic, images), ("generator", generator, noise), ("dcgan", make, z)]:
        with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
            torch.onnx.export(network.eval(), (x,), file.name, input_names=["x"], dynamo=False)
            session = onnxruntime.InferenceSession(file.name, options, ["CPUExecutionProvider"])
        feed = {"x": x.numpy()}
        measured[f"{name}_inference_onnxruntime_ms"] = median_ms(lambda: session.run(None, feed))
print(json.dumps(measured))
