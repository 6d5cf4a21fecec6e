#!/usr/bin/env python3
"""Runs training of a GAN in the manner of R3GAN with `atelier train` and with PyTorch in turn on this machine, and prints
pictures a second, medians and the median of each round's ratio.

Usage: r3gan.py ATELIER [PYTHON] [ROUNDS]

PYTHON has torch, numpy and Pillow. Both train the same networks (64 x 64 pixels, stages of 192, 128, 96, 64 and 24 channels)
on the same batches of 32 of random pictures for sixteen steps, after two that are not counted: the relativistic pairing loss,
the penalties R1 and R2 with exact second derivatives in two of the sixteen, and Adam. Two threads each.
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

LATENT, STAGES, GROUP, EXPANSION, BATCH, STEPS, EVERY, GAMMA = 96, [192, 128, 96, 64, 24], 8, 2, 32, 16, 8, 1.0


def peer():
    """PyTorch's pictures a second."""
    import time

    import torch
    from torch import nn
    from torch.nn import functional as F

    torch.set_num_threads(2)
    torch.manual_seed(1)

    class Biased(nn.Module):
        def __init__(self, before, after, size, groups=1):
            super().__init__()
            self.convolution = nn.Conv2d(before, after, size, padding=size // 2, groups=groups)

        def forward(self, x):
            return F.leaky_relu(self.convolution(x), 0.2)

    class Block(nn.Module):
        def __init__(self, width):
            super().__init__()
            wide = width * EXPANSION
            self.inner = nn.Sequential(Biased(width, wide, 1), Biased(wide, wide, 3, wide // GROUP),
                                       nn.Conv2d(wide, width, 1, bias=False))

        def forward(self, x):
            return x + self.inner(x)

    taps = torch.tensor([1.0, 2.0, 1.0])
    square = taps[:, None] * taps[None]

    def up(x):
        c = x.shape[1]
        return F.conv_transpose2d(x, (square / 4).expand(c, 1, 3, 3), stride=2, padding=1, output_padding=1, groups=c)

    def down(x):
        c = x.shape[1]
        return F.conv2d(x, (square / 16).expand(c, 1, 3, 3), stride=2, padding=1, groups=c)

    class Generator(nn.Module):
        def __init__(self):
            super().__init__()
            self.basis = nn.Parameter(torch.randn(STAGES[0], 4, 4))
            self.linear = nn.Linear(LATENT, STAGES[0], bias=False)
            self.changes = nn.ModuleList([nn.Conv2d(a, b, 1, bias=False) for a, b in zip(STAGES, STAGES[1:])])
            self.blocks = nn.ModuleList([Block(width) for width in STAGES])
            self.last = nn.Conv2d(STAGES[-1], 3, 1, bias=False)

        def forward(self, z):
            x = self.blocks[0](self.basis * self.linear(z)[:, :, None, None])
            for change, block in zip(self.changes, self.blocks[1:]):
                x = block(up(change(x)))
            return self.last(x)

    class Critic(nn.Module):
        def __init__(self):
            super().__init__()
            widths = STAGES[::-1]
            self.first = nn.Conv2d(3, widths[0], 1, bias=False)
            self.blocks = nn.ModuleList([Block(width) for width in widths])
            self.changes = nn.ModuleList([nn.Conv2d(a, b, 1, bias=False) for a, b in zip(widths, widths[1:])])
            self.basis = nn.Parameter(torch.randn(widths[-1], 4, 4) / 4)
            self.linear = nn.Linear(widths[-1], 1, bias=False)

        def forward(self, x):
            x = self.first(x)
            for block, change in zip(self.blocks, self.changes):
                x = change(down(block(x)))
            return self.linear((self.blocks[-1](x) * self.basis).sum((2, 3)))

    generator, critic = Generator(), Critic()
    adam = [torch.optim.Adam(net.parameters(), 2e-4, betas=(0.0, 0.99)) for net in (generator, critic)]
    pictures = torch.rand(64, 3, 64, 64) * 2 - 1

    def step(number):
        penalised = number % EVERY == 0
        real = pictures[torch.randint(64, (BATCH,))].requires_grad_(penalised)
        made = generator(torch.randn(BATCH, LATENT))
        fake = made.detach().requires_grad_(penalised)
        of_real, of_fake = critic(real), critic(fake)
        loss = F.softplus(of_fake - of_real).mean()
        if penalised:
            for scores, of in ((of_real, real), (of_fake, fake)):
                gradient, = torch.autograd.grad(scores.sum(), of, create_graph=True)
                loss = loss + GAMMA / 2 * EVERY * gradient.square().sum() / BATCH
        adam[1].zero_grad()
        loss.backward()
        adam[1].step()
        with torch.no_grad():
            of_real = critic(real)
        critic.requires_grad_(False)
        fooled = F.softplus(of_real - critic(made)).mean()
        adam[0].zero_grad()
        fooled.backward()
        critic.requires_grad_(True)
        adam[0].step()

    step(0)
    step(1)
    begun = time.perf_counter()
    for number in range(STEPS):
        step(number)
    print(json.dumps(STEPS * BATCH / (time.perf_counter() - begun)))


def pictures(folder):
    import numpy
    from PIL import Image

    random = numpy.random.default_rng(1)
    folder.mkdir()
    for number in range(64):
        Image.fromarray(random.integers(0, 256, (64, 64, 3), dtype=numpy.uint8)).save(folder / f"{number}.png")


def ours(program, folder, number):
    recipe = folder / "recipe.toml"
    recipe.write_text(f"""kind = "gan"
name = "bench"
seed = 1
[data]
kind = "images"
channels = 3
[network]
latent = {LATENT}
stages = {STAGES}
blocks = 1
group = {GROUP}
[training]
steps = {STEPS + 2}
batch = {BATCH}
learning_rate = 0.0002
critic_learning_rate = 0.0002
betas = [0.0, 0.99]
gamma = {GAMMA}
penalty_every = {EVERY}
fall_from = {STEPS + 2}
average = 0.999
checkpoint_every = 2
""")
    command = [program, "train", "--recipe", recipe, "--data", folder / "pictures", "--out", folder / f"out{number}", "--json"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    # Two steps each, without what a checkpoint takes.
    speeds = [json.loads(line)["images_per_s"] for line in told.splitlines()][1:]
    return len(speeds) / sum(1 / speed for speed in speeds)


def main():
    if sys.argv[1:] == ["--peer"]:
        return peer()
    program = os.path.abspath(sys.argv[1])
    python = sys.argv[2] if len(sys.argv) > 2 else sys.executable
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    a, b = [], []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        pictures(folder / "pictures")
        for number in range(rounds):
            a.append(ours(program, folder, number))
            told = subprocess.run([python, __file__, "--peer"], check=True, capture_output=True, text=True).stdout
            b.append(json.loads(told))
            print(f"{a[-1]:.1f} and {b[-1]:.1f} pictures a second", flush=True)
    ratio = statistics.median(x / y for x, y in zip(a, b))
    print(f"Atelier {statistics.median(a):.1f}, PyTorch {statistics.median(b):.1f}, ratio {ratio:.2f}")


main()
