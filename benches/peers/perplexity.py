#!/usr/bin/env python3
"""Perplexity of the same text in Atelier and in llama.cpp (package xllamacpp), from the same GGUF files.

    perplexity.py PROGRAM MODEL.gguf...

llama.cpp is asked for its likeliest tokens at every position; those positions count, in both programs, whose next token
is among them (the table says how many).
"""
import json
import math
import os
import pathlib
import subprocess
import sys

TEXT = pathlib.Path(__file__).with_name("perplexity.txt")
LIKELIEST = 2000


def theirs(model, tokens):
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
    params.n_parallel, params.n_ctx, params.warmup = 1, 4096, False
    server = xllamacpp.Server(params)
    found = []
    for end in range(1, len(tokens)):
        reply = server.handle_completions({
            "prompt": tokens[:end], "n_predict": 1, "max_tokens": 1, "temperature": 1.0, "seed": 1,
            "logprobs": LIKELIEST, "cache_prompt": True, "ignore_eos": False, "samplers": ["temperature"],
        })
        reply = json.loads(reply) if isinstance(reply, (str, bytes)) else reply
        logprobs = reply["choices"][0]["logprobs"]  # nothing where llama.cpp drew the end of the text
        top = logprobs["content"][0]["top_logprobs"] if logprobs and logprobs["content"] else []
        found.append(next((one["logprob"] for one in top if one["id"] == tokens[end]), None))
    return found


def main():
    program, models = sys.argv[1], sys.argv[2:]
    print("| model | positions | Atelier | llama.cpp | difference |")
    print("| --- | --- | --- | --- | --- |")
    for model in models:
        command = [program, "bench", "text", "--model", model, "--likelihood", str(TEXT), "--json"]
        ours = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        pairs = [(a, b) for a, b in zip(ours["logarithms"], theirs(model, ours["tokens"])) if b is not None]
        a, b = (math.exp(-sum(column) / len(pairs)) for column in zip(*pairs))
        counted = f"{len(pairs)} of {len(ours['logarithms'])}"
        print(f"| {os.path.basename(model)} | {counted} | {a:.3f} | {b:.3f} | {100 * (a / b - 1):+.2f} % |", flush=True)


main()
