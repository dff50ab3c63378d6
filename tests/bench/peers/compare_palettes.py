"""A step of DKM on one matrix beside coremltools': seconds of the soft weights and of the gradient by them, and the
memory they need beside weight and gradient. The contenders take turns, each turn a process of its own; ratios are
taken within a round.

    tests/bench/peers/compare_palettes --bench build/release/tests/bench/palette_bench
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "peers"))
WAYS = ["table", "uniquified", "marshaled", "naive"]


def peer_turn(options):
    """Prints a line for each step, as palette_bench does."""
    import torch
    from coremltools_dkm import Dkm

    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    weight = 0.02 * torch.randn(options.side, options.side)
    upstream = torch.randn(weight.shape)
    centroids = torch.linspace(-0.05, 0.05, 2 ** options.bits).reshape(-1, 1)
    fake = Dkm(bits=options.bits, iterations=options.iterations, tau=1e-4, centroids=centroids).palettizer(weight)
    leaf = weight.clone().requires_grad_()
    leaf.grad = torch.zeros_like(leaf)
    standing = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    for _ in range(options.steps):
        begun = time.perf_counter()
        soft = fake(leaf)
        forward = time.perf_counter() - begun
        begun = time.perf_counter()
        soft.backward(upstream)
        backward = time.perf_counter() - begun
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - standing
        print(json.dumps({"forward_secs": forward, "backward_secs": backward, "peak_bytes": peak}), flush=True)


def turn(command):
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    rows = [json.loads(line) for line in lines.splitlines() if line.startswith("{")][1:]  # the first one warms up
    return {"secs": statistics.median(row["forward_secs"] + row["backward_secs"] for row in rows),
            "peak": max(row["peak_bytes"] for row in rows), "kept": rows[-1].get("kept_bytes")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench")
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--bits", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4, help="of a turn")
    parser.add_argument("--peer-turn", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer_turn:
        return peer_turn(options)
    if not options.bench:
        parser.error("--bench names the program palette_bench")
    sizes = [f"--{name}={getattr(options, name)}" for name in ("side", "bits", "iterations", "threads")]
    rounds = []
    for number in range(options.rounds):
        found = {"coremltools": turn([sys.executable, __file__, "--peer-turn", f"--steps={options.steps}", *sizes])}
        for way in WAYS:
            words = [word for size in sizes for word in size.split("=")]
            found[way] = turn([options.bench, "--memory", way, "--rounds", str(options.steps), *words])
        rounds.append(found)
        print(json.dumps({"round": number, **found}), flush=True)
    print(f"\n{options.side} x {options.side}, {options.bits} bits, {options.iterations} iterations, "
          f"{options.threads} threads, {os.uname().machine}; medians of {options.rounds} rounds")
    print(f"{'':12} {'ms':>9} {'kept MiB':>10} {'peak MiB':>10} {'coremltools / it: time':>24} {'peak':>8}")
    for name in ["coremltools", *WAYS]:
        secs = statistics.median(found[name]["secs"] for found in rounds)
        faster = statistics.median(found["coremltools"]["secs"] / found[name]["secs"] for found in rounds)
        smaller = statistics.median(found["coremltools"]["peak"] / found[name]["peak"] for found in rounds)
        kept = rounds[0][name]["kept"]
        kept_text = f"{kept / 2 ** 20:.3f}" if kept is not None else "-"
        peak = statistics.median(found[name]["peak"] for found in rounds) / 2 ** 20
        print(f"{name:12} {1e3 * secs:9.1f} {kept_text:>10} {peak:10.1f} {faster:24.1f} {smaller:8.1f}")


if __name__ == "__main__":
    main()
