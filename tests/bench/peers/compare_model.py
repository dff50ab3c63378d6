"""Measures Lathe beside llama.cpp (prefill and decode) and transformers (training step, evaluation) on one
pretrained model. The contenders take turns, each turn a process of its own; ratios are taken within a round.

    tests/bench/peers/compare_model --lathe build/release/app/lathe --model SmolLM2-135M-Instruct
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROMPT = "The history of the town begins with a mill on the river, and "
BATCH, LENGTH, STEPS, WINDOW, WINDOWS = 2, 256, 6, 512, 8


def peer_decode(path, prompt, tokens, threads):
    from llama_cpp import Llama

    model = Llama(path, n_ctx=2048, n_batch=512, n_threads=threads, n_threads_batch=threads, verbose=False)
    ids = model.tokenize(prompt.encode())
    model.eval(ids)
    model.reset()
    begin = time.perf_counter()
    model.eval(ids)
    prefilled = time.perf_counter()
    for _ in range(tokens):
        model.eval([ids[5]])
    ended = time.perf_counter()
    return {"prefill": len(ids) / (prefilled - begin), "decode": tokens / (ended - prefilled)}


def torch_model(folder, threads):
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(threads)
    return torch, AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def timed_steps(torch, model, optimizer, ids, steps):
    """Seconds of the median step, without the first."""
    times = []
    for _ in range(steps):
        begin = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        times.append(time.perf_counter() - begin)
    return statistics.median(times[1:])


def peer_train(folder, threads):
    torch, model = torch_model(folder, threads)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5, fused=True)
    ids = torch.randint(0, model.config.vocab_size, (BATCH, LENGTH))
    return {"train": BATCH * LENGTH / timed_steps(torch, model, optimizer, ids, STEPS)}


def peer_evaluate(folder, threads):
    torch, model = torch_model(folder, threads)
    ids = torch.randint(0, model.config.vocab_size, (WINDOWS, WINDOW))
    with torch.inference_mode():
        model(input_ids=ids[:1], labels=ids[:1], use_cache=False)
        begin = time.perf_counter()
        for row in ids:
            model(input_ids=row[None], labels=row[None], use_cache=False)
        return {"evaluate": WINDOWS * WINDOW / (time.perf_counter() - begin)}


def lathe(options, *words):
    command = [options.lathe, "--json", "--quiet", "--threads", str(options.threads), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def own_decode(options, path, prompt, tokens):
    result = lathe(options, "generate", path, "--prompt", prompt, "--temperature", "0", "--max-tokens",
                   str(tokens))[-1]["generate"]
    return {"prefill": result["prefill_tokens_per_sec"], "decode": result["decode_tokens_per_sec"]}


def own_train(options, folder, scratch):
    spec = {"model": {"from": folder}, "data": {"kind": "text", "path": str(scratch / "corpus")},
            "train": {"steps": STEPS, "batch_size": BATCH, "seq_len": LENGTH, "eval_every": 0},
            "optim": {"lr": 2e-5}}
    (scratch / "train.json").write_text(json.dumps(spec))
    store = str(scratch / f"{time.time_ns()}.sqlite")
    lathe(options, "--store", store, "run", str(scratch / "train.json"))
    rows = lathe(options, "--store", store, "query",
                 "SELECT value FROM samples WHERE metric = 'perf/step_ms' AND step > 1")
    return {"train": BATCH * LENGTH / statistics.median(row["value"] for row in rows) * 1e3}


def own_evaluate(options, folder, scratch):
    result = lathe(options, "--store", str(scratch / "eval.sqlite"), "eval", folder, "--task", "ppl", "--data",
                   str(scratch / "text.txt"), "--window", str(WINDOW), "--limit", str(WINDOWS))[-1]["eval"]["metrics"]
    return {"evaluate": result["task/tokens"] / result["task/secs"]}


def in_a_process(options, peer, *words):
    """The result of one of the peer functions above, in a process of its own."""
    command = [sys.executable, __file__, "--threads", str(options.threads), "--turn", peer, *words]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def one_round(options, files, scratch):
    results = {}
    for kind in ("f16", "q8_0"):
        for name, turn in (("lathe", lambda: own_decode(options, files[kind], PROMPT * 14, 64)),
                           ("peer", lambda: in_a_process(options, "decode", files[kind], PROMPT * 14, "64"))):
            for what, value in turn().items():
                results.setdefault(f"{what} {kind}", {})[name] = value
    for what, own in (("train", own_train), ("evaluate", own_evaluate)):
        results[f"{what} f32"] = {"lathe": own(options, files["f32"], scratch)[what],
                                  "peer": in_a_process(options, what, files["f32"])[what]}
    return results


def tell(rounds, unit, out):
    """The medians of all rounds; every number goes to the file `out`, if there is one."""
    width = max(map(len, rounds[0]))
    print(f"{'':{width}} {'Lathe':>9} {'peer':>9}  ratio ({unit}; medians of {len(rounds)} rounds)")
    for what in rounds[0]:
        own, peer, ratio = (statistics.median(values) for values in (
            [r[what]["lathe"] for r in rounds], [r[what]["peer"] for r in rounds],
            [r[what]["lathe"] / r[what]["peer"] for r in rounds]))
        print(f"{what:{width}} {own:9.1f} {peer:9.1f}  {ratio:.2f}")
    if out:
        Path(out).write_text(json.dumps(rounds, indent=1) + "\n")


def arguments(doc):
    """What the comparisons of this folder are told."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lathe", default="build/release/app/lathe")
    parser.add_argument("--model", default="SmolLM2-135M-Instruct")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", help="a file for every round's numbers")
    parser.add_argument("--turn", help=argparse.SUPPRESS)
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    return parser


def compare(options):
    rounds = []
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        text = "".join(f"{i}. {PROMPT}\n" for i in range(400))
        (scratch / "text.txt").write_text(text)
        (scratch / "corpus").mkdir()
        for part in range(20):
            (scratch / "corpus" / f"{part}.txt").write_text(text)
        files = {kind: str(scratch / f"{kind}.gguf") for kind in ("f16", "q8_0")} | {"f32": str(scratch / "f32")}
        for kind, path in files.items():
            lathe(options, "export", options.model, "--format", "hf" if kind == "f32" else "gguf", "--dtype", kind,
                  "--out", path)
        for _ in range(options.rounds):
            rounds.append(one_round(options, files, scratch))
            print(json.dumps(rounds[-1]), file=sys.stderr)
    tell(rounds, "tokens a second", options.out)


def main():
    options = arguments(__doc__).parse_args()
    if options.turn == "decode":
        path, prompt, tokens = options.words
        print(json.dumps(peer_decode(path, prompt, int(tokens), options.threads)))
    elif options.turn:
        turns = {"train": peer_train, "evaluate": peer_evaluate}
        print(json.dumps(turns[options.turn](options.words[0], options.threads)))
    else:
        compare(options)


if __name__ == "__main__":
    main()
