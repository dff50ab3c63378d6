"""Training speed and peak memory beside PyTorch, in one interleaved run.

A machine's speed drifts from minute to minute, so the contenders take turns in rounds, each turn in a
process of its own, and what counts is the median over the rounds of the ratios within a round. Prints a
Markdown table; writes every turn to a JSON file.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
NO_DEVICE = 77  # the exit code of the measuring programs where there is no such device
CONTENDERS = ["lathe", "eager", "compile"]
LATHE_GRAPH = "lathe-graph"  # lathe with train.graph, on devices


def turn_command(contender: str, model: str, args) -> list[str]:
    options = ["--model", model, "--steps", str(args.steps), "--threads", str(args.threads)]
    options += ["--device", args.device, "--products", args.products]
    if args.batch:
        options += ["--batch", str(args.batch)]
    if contender == "lathe":
        return [str(args.train_bench), *options]
    if contender == LATHE_GRAPH:
        return [str(args.train_bench), *options, "--graph", "1"]
    return [str(args.python), str(HERE / "torch_llama.py"), "--mode", contender, *options]


def take_turn(contender: str, model: str, args) -> dict:
    environment = dict(os.environ, OMP_NUM_THREADS=str(args.threads))
    done = subprocess.run(
        turn_command(contender, model, args),
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode == NO_DEVICE:  # it has said so
        raise SystemExit(NO_DEVICE)
    if done.returncode != 0:
        raise SystemExit(f"{contender} on {model} ended with exit code {done.returncode}")
    # The result is the last line; libraries may print above it.
    return {"contender": contender, "model": model, **json.loads(done.stdout.splitlines()[-1])}


def median_ratio(turns: list[dict], key: str, over: str, under: str) -> float:
    """Median over the rounds of the ratio of two contenders' values in the same round."""
    by_round: dict[int, dict[str, float]] = {}
    for turn in turns:
        by_round.setdefault(turn["round"], {})[turn["contender"]] = turn[key]
    return statistics.median(
        values[over] / values[under]
        for values in by_round.values()
        if over in values and under in values
    )


def best(turns: list[dict], contender: str, key: str, choose) -> float:
    return choose(turn[key] for turn in turns if turn["contender"] == contender)


def rows_of(model: str, turns: list[dict], contenders: list[str]) -> list[str]:
    rows = []
    for contender in contenders:
        cells = [
            model,
            contender,
            f"{best(turns, contender, 'tokens_per_s', max):,.0f}",
            f"{best(turns, contender, 'peak_resident_bytes', max) / 1e9:.2f} GB",
        ]
        if "eager" in contenders:
            cells.append(f"{median_ratio(turns, 'tokens_per_s', contender, 'eager'):.2f}")
            cells.append(f"{median_ratio(turns, 'peak_resident_bytes', contender, 'eager'):.2f}")
        else:
            cells += ["–", "–"]
        rows.append("| " + " | ".join(cells) + " |")
    return rows


def low_rank_line(turns: list[dict], contender: str, promise: float) -> str:
    """How much of the operation count's promise the low-rank model keeps."""
    by_round: dict[int, dict[str, float]] = {}
    for turn in turns:
        if turn["contender"] == contender and turn["model"] in ("60m", "60m-r128"):
            by_round.setdefault(turn["round"], {})[turn["model"]] = turn["tokens_per_s"]
    speedups = [values["60m-r128"] / values["60m"] for values in by_round.values() if len(values) == 2]
    speedup = statistics.median(speedups)
    kept = (speedup - 1) / (promise - 1)
    return f"| {contender} | {speedup:.2f} | {promise:.2f} | {kept:.0%} |"


def shape_named(model: str) -> dict:
    return json.loads((HERE.parent / "shapes.json").read_text(encoding="utf-8"))[model]


def forward_flop(shape: dict) -> float:
    """Operations per token, forward, a multiply-add counted as 2; attention as PyTorch's own counter
    has it, over all T x T pairs."""
    d, ff, rank = shape["dim"], shape["ff_dim"], shape["rank"]

    def linear(inputs: int, outputs: int) -> int:
        return rank * (inputs + outputs) if rank else inputs * outputs

    block = 4 * linear(d, d) + 2 * linear(d, ff) + linear(ff, d) + 2 * shape["seq_len"] * d
    return 2.0 * (shape["layers"] * block + d * shape["vocab_size"])


def low_rank_promise() -> float:
    return forward_flop(shape_named("60m")) / forward_flop(shape_named("60m-r128"))


def cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def write_record(args, turns: list[dict]):
    if not args.out:
        return
    args.out.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "cpu": cpu_name(),
        "threads": args.threads,
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "turns": turns,
    }
    args.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def add_turn_options(parser: argparse.ArgumentParser, device: str, products: str | None):
    """What take_turn needs of its args."""
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5, help="timed steps a turn, after the warm-up")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", default=device, help="cpu or cuda")
    parser.add_argument("--products", choices=["f32", "tf32", "bf16"], default=products)
    parser.add_argument("--batch", type=int, help="instead of the shape's own")
    parser.add_argument("--python", default=sys.executable, help="a Python that has PyTorch")
    parser.add_argument(
        "--train-bench", type=Path, default=ROOT / "build/release/tests/bench/train_bench"
    )


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["15m", "60m", "60m-r128"])
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=CONTENDERS)
    add_turn_options(parser, device="cpu", products="f32")
    parser.add_argument("--out", type=Path, help="JSON file of all turns")
    return parser.parse_args()


def main():
    args = parse_args()
    turns = []
    for number in range(args.rounds):
        for model in args.models:
            for contender in args.contenders:
                turn = {"round": number, **take_turn(contender, model, args)}
                turns.append(turn)
                write_record(args, turns)  # after each turn: a run may be cut short
                print(
                    f"round {number + 1}/{args.rounds} {model} {contender}: "
                    f"{turn['tokens_per_s']:,.0f} tok/s, {turn['peak_resident_bytes'] / 1e9:.2f} GB",
                    file=sys.stderr,
                )
    print("| model | program | tokens/s (best) | peak resident | speed / eager | memory / eager |")
    print("| --- | --- | --- | --- | --- | --- |")
    for model in args.models:
        of_model = [turn for turn in turns if turn["model"] == model]
        print("\n".join(rows_of(model, of_model, args.contenders)))
    if {"60m", "60m-r128"} <= set(args.models):
        print("\n| program | low-rank speed-up | promised by operations | kept of the promise |")
        print("| --- | --- | --- | --- |")
        for contender in args.contenders:
            print(low_rank_line(turns, contender, low_rank_promise()))


if __name__ == "__main__":
    main()
