"""Measures weights in few bits beside llama.cpp's, and adapters beside PEFT's, on one pretrained model: decoding
from NF4 and int8 beside Q4_0 and Q8_0, a training step of LoRA beside PEFT's, of QLoRA beside LoRA's. The contenders
take turns, each turn a process of its own; ratios are taken within a round.

    tests/bench/peers/compare_few_bits --lathe build/release/app/lathe --model SmolLM2-135M-Instruct
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import compare_model as model_turns

RANK, LENGTH, STEPS = 8, 512, 5
LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
TOKENS = 96
# Name: what is decoded by Lathe, what by llama.cpp.
DECODED = {"nf4 / q4_0": ("nf4", "q4_0"), "nf4_dq / q4_0": ("nf4_dq", "q4_0"), "int4_g64 / q4_0": ("int", "q4_0"),
           "spqr3 / q4_0": ("spqr", "q4_0"), "int8_row / q8_0": ("int8_row", "q8_0")}


def peer_lora(folder, threads, batch):
    from peft import LoraConfig, get_peft_model

    torch, base = model_turns.torch_model(folder, threads)
    model = get_peft_model(base, LoraConfig(r=RANK, lora_alpha=16, target_modules=LINEARS, task_type="CAUSAL_LM"))
    model.train()
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=1e-4, fused=True)
    ids = torch.randint(0, model.config.vocab_size, (batch, LENGTH))
    return {"speed": batch * LENGTH / model_turns.timed_steps(torch, model, optimizer, ids, STEPS)}


def measured(command):
    """Standard output and the greatest resident memory of a process."""
    with tempfile.TemporaryFile("w+") as out:
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, text=True)
        _, status, usage = os.wait4(child.pid, 0)
        if status != 0:
            raise SystemExit(f"{' '.join(map(str, command))}: status {status}")
        out.seek(0)
        return out.read(), usage.ru_maxrss * 1024


def own_lora(options, base, scratch, batch):
    spec = {"model": {"from": base}, "method": {"lora": {"rank": RANK, "targets": ["all"]}},
            "data": {"kind": "text", "path": str(scratch / "corpus")},
            "train": {"steps": STEPS, "batch_size": batch, "seq_len": LENGTH, "eval_every": 0},
            "optim": {"lr": 1e-4}}
    (scratch / "lora.json").write_text(json.dumps(spec))
    store = str(scratch / f"{time.time_ns()}.sqlite")
    _, peak = measured([options.lathe, "--json", "--quiet", "--threads", str(options.threads), "--store", store, "run",
                        str(scratch / "lora.json")])
    rows = model_turns.lathe(options, "--store", store, "query",
                             "SELECT value FROM samples WHERE metric = 'perf/step_ms' AND step > 1")
    return {"speed": batch * LENGTH / statistics.median(row["value"] for row in rows) * 1e3, "peak": peak}


def peft_lora(options, folder):
    out, peak = measured([sys.executable, __file__, "--threads", str(options.threads), "--batch", str(options.batch),
                          "--turn", "lora", folder])
    return json.loads(out.splitlines()[-1]) | {"peak": peak}


def prepared(options, scratch):
    """The model in every form, and how long each of ours took to load, quantise and write."""
    text = "".join(f"{i}. {model_turns.PROMPT}\n" for i in range(400))
    (scratch / "corpus").mkdir()
    for part in range(20):
        (scratch / "corpus" / f"{part}.txt").write_text(text)
    files = {"f32": str(scratch / "f32")}
    model_turns.lathe(options, "export", options.model, "--format", "hf", "--dtype", "f32", "--out", files["f32"])
    for kind in ("q4_0", "q8_0"):
        files[kind] = str(scratch / f"{kind}.gguf")
        model_turns.lathe(options, "export", options.model, "--format", "gguf", "--dtype", kind, "--out", files[kind])
    for kind in ("nf4", "nf4_dq", "int", "int8_row", "spqr"):
        files[kind] = str(scratch / kind)
        begin = time.perf_counter()
        model_turns.lathe(options, "--store", str(scratch / "compress.sqlite"), "compress", files["f32"],
                          "decompose=false", f"quant.type={kind}", f"quant.bits={3 if kind == 'spqr' else 4}",
                          "heldout_windows=0", "calibration.samples=4", "calibration.seq_len=128",
                          f"data.path={scratch / 'corpus'}", "data.extensions=.txt", "--dtype", "f16", "--out",
                          files[kind])
        print(f"{kind}: loaded, quantised and written in {time.perf_counter() - begin:.1f} s", file=sys.stderr)
    return files


def one_round(options, files, scratch):
    results = {}
    for name, (own, peer) in DECODED.items():
        results[f"decode {name}"] = {
            "lathe": model_turns.own_decode(options, files[own], model_turns.PROMPT, TOKENS)["decode"],
            "peer": model_turns.in_a_process(options, "decode", files[peer], model_turns.PROMPT, str(TOKENS))["decode"]}
    lora = own_lora(options, files["f32"], scratch, options.batch)
    peft = peft_lora(options, files["f32"])
    qlora = own_lora(options, files["nf4"], scratch, options.batch)
    results["LoRA step / PEFT"] = {"lathe": lora["speed"], "peer": peft["speed"]}
    results["QLoRA step / LoRA"] = {"lathe": qlora["speed"], "peer": lora["speed"]}
    results["LoRA peak MB / PEFT"] = {"lathe": lora["peak"] / 1e6, "peer": peft["peak"] / 1e6}
    results["QLoRA peak MB / LoRA"] = {"lathe": qlora["peak"] / 1e6, "peer": lora["peak"] / 1e6}
    return results


def compare(options):
    rounds = []
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        files = prepared(options, scratch)
        for _ in range(options.rounds):
            rounds.append(one_round(options, files, scratch))
            print(json.dumps(rounds[-1]), file=sys.stderr)
    model_turns.tell(rounds, "tokens a second, or megabytes; of QLoRA beside LoRA the second is LoRA", options.out)


def main():
    parser = model_turns.arguments(__doc__)
    parser.add_argument("--batch", type=int, default=2)
    options = parser.parse_args()
    if options.turn:
        print(json.dumps(peer_lora(options.words[0], options.threads, options.batch)))
    else:
        compare(options)


if __name__ == "__main__":
    main()
