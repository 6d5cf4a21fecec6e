#!/usr/bin/env python3
"""Text speed of Atelier and of llama.cpp (package xllamacpp) on the same GGUF files, in turn: A B A B ...

    text.py PROGRAM MODEL.gguf...

PROGRAM is the release build of `atelier`. Each measurement is a process of its own with two threads: a prompt of 512
tokens, then 128 tokens written greedily. Prints a table of medians, and the medians of the ratios of neighbours.
"""
import json
import os
import statistics
import subprocess
import sys
import time

ROUNDS = 5
THREADS = 2
PROMPT, WRITTEN = 512, 128


def ours(program, model):
    command = [program, "bench", "text", "--model", model, "--threads", str(THREADS), "--prompt", str(PROMPT)]
    done = subprocess.run(command + ["--tokens", str(WRITTEN), "--runs", "1", "--json"], check=True, capture_output=True)
    report = json.loads(done.stdout)
    return report["prefill_tokens_per_s"], report["decode_tokens_per_s"], report["first_token_s"], report["peak_memory_mb"]


def theirs(model):
    done = subprocess.run([sys.executable, __file__, "--theirs", model], check=True, capture_output=True)
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def run_theirs(model):
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = THREADS
    params.n_parallel = 1
    params.n_ctx = 4096
    params.warmup = False
    start = time.time()
    server = xllamacpp.Server(params)

    def complete(words, count):
        reply = server.handle_completions({
            "prompt": "word " * words, "max_tokens": count, "n_predict": count,
            "ignore_eos": True, "temperature": 0, "cache_prompt": False,
        })
        return json.loads(reply) if isinstance(reply, (str, bytes)) else reply

    complete(8, 1)
    first_token_s = time.time() - start
    timings = complete(PROMPT - 2, WRITTEN)["timings"]
    with open("/proc/self/status", encoding="ascii") as status:
        peak = next(int(line.split()[1]) >> 10 for line in status if line.startswith("VmHWM:"))
    print(json.dumps([timings["prompt_per_second"], timings["predicted_per_second"], first_token_s, peak]))


def main():
    if sys.argv[1] == "--theirs":
        run_theirs(sys.argv[2])
        return
    program, models = sys.argv[1], sys.argv[2:]
    print("| model | work | Atelier | llama.cpp | ratio |")
    print("| --- | --- | --- | --- | --- |")
    for model in models:
        pairs = [(ours(program, model), theirs(model)) for _ in range(ROUNDS)]
        name = os.path.basename(model)
        for index, (work, higher) in enumerate(
            [("prefill, tokens/s", True), ("decode, tokens/s", True), ("load to first token, s", False), ("peak memory, MB", False)]
        ):
            a, b = [pair[0][index] for pair in pairs], [pair[1][index] for pair in pairs]
            ratios = [x / y if higher else y / x for x, y in zip(a, b)]
            print(f"| {name} | {work} | {statistics.median(a):.2f} | {statistics.median(b):.2f} | {statistics.median(ratios):.2f}× |")
        sys.stdout.flush()


main()
