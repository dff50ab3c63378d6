"""The peer: a LLaMA-shaped model in plain PyTorch, and one timed training run of it.

Written as a PyTorch user who cares for speed would: fused projections, scaled_dot_product_attention,
fused AdamW, gradients set to None. Run as a program it trains on random tokens and prints one JSON
object; each run is a process of its own, so that its peak memory is its own.
"""

import argparse
import contextlib
import json
import statistics
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn


SHAPES_FILE = Path(__file__).resolve().parents[1] / "shapes.json"


@dataclass(frozen=True)
class Shape:
    dim: int
    layers: int
    heads: int
    ff_dim: int
    tied: bool
    rank: int  # 0: dense
    vocab_size: int
    seq_len: int
    batch_size: int


def shapes() -> dict[str, Shape]:
    named = json.loads(SHAPES_FILE.read_text(encoding="utf-8"))
    return {name: Shape(**fields) for name, fields in named.items()}


def linear(shape: Shape, inputs: int, outputs: int) -> nn.Module:
    """A block's linear layer: dense, or y = B(Ax)."""
    if shape.rank == 0:
        return nn.Linear(inputs, outputs, bias=False)
    return nn.Sequential(
        nn.Linear(inputs, shape.rank, bias=False), nn.Linear(shape.rank, outputs, bias=False)
    )


class Attention(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.heads = shape.heads
        # One product for queries, keys and values; factors cannot be joined without changing the model.
        self.joined = shape.rank == 0
        if self.joined:
            self.qkv = linear(shape, shape.dim, 3 * shape.dim)
        else:
            self.q = linear(shape, shape.dim, shape.dim)
            self.k = linear(shape, shape.dim, shape.dim)
            self.v = linear(shape, shape.dim, shape.dim)
        self.out = linear(shape, shape.dim, shape.dim)

    def forward(self, x, cos, sin):
        batch, seq_len, d = x.shape
        parts = self.qkv(x).split(d, dim=-1) if self.joined else (self.q(x), self.k(x), self.v(x))
        q, k, v = (p.view(batch, seq_len, self.heads, -1).transpose(1, 2) for p in parts)
        y = F.scaled_dot_product_attention(
            rotate(q, cos, sin), rotate(k, cos, sin), v, is_causal=True
        )
        return self.out(y.transpose(1, 2).reshape(batch, seq_len, d))


def rotate(x, cos, sin):
    """Rotary embedding on halves, as LLaMA in transformers has it."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


class FeedForward(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.gate = linear(shape, shape.dim, shape.ff_dim)
        self.up = linear(shape, shape.dim, shape.ff_dim)
        self.down = linear(shape, shape.ff_dim, shape.dim)

    def forward(self, x):
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Block(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.attention_norm = nn.RMSNorm(shape.dim, eps=1e-5)
        self.attention = Attention(shape)
        self.ff_norm = nn.RMSNorm(shape.dim, eps=1e-5)
        self.ff = FeedForward(shape)

    def forward(self, x, cos, sin):
        x = x + self.attention(self.attention_norm(x), cos, sin)
        return x + self.ff(self.ff_norm(x))


class Llama(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.embedding = nn.Embedding(shape.vocab_size, shape.dim)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.dim, eps=1e-5)
        self.head = nn.Linear(shape.dim, shape.vocab_size, bias=False)
        if shape.tied:
            self.head.weight = self.embedding.weight
        half = shape.dim // shape.heads // 2
        frequencies = 10000.0 ** (-torch.arange(half) / half)
        angles = torch.outer(torch.arange(shape.seq_len), frequencies)
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())
        for weight in self.parameters():
            if weight.dim() > 1:
                nn.init.normal_(weight, std=0.02)

    def forward(self, tokens, targets):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        logits = self.head(self.norm(x))
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def optimizer_of(model: nn.Module, kind: str) -> torch.optim.Optimizer:
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    groups = [
        {"params": matrices, "weight_decay": 0.1},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups, lr=3e-4, betas=(0.9, 0.95), fused=kind == "fused", foreach=kind == "foreach"
    )


def status_bytes(key: str) -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {key}")


def rounded_products(products: str, device: str):
    """How PyTorch computes products as Lathe does with --products: a context to run the model in."""
    torch.set_float32_matmul_precision("high" if products == "tf32" else "highest")
    if products == "bf16":
        return torch.autocast(device, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def device_facts(device: str) -> dict:
    if device == "cpu":
        return {}
    return {
        "device": torch.cuda.get_device_name(),
        "allocated_peak_bytes": torch.cuda.max_memory_allocated(),
        "reserved_peak_bytes": torch.cuda.max_memory_reserved(),
    }


def train(args) -> dict:
    import_bytes = status_bytes("VmRSS")
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    shape = shapes()[args.model]
    if args.batch:
        shape = replace(shape, batch_size=args.batch)
    model = Llama(shape).to(args.device)
    parameters = sum(p.numel() for p in model.parameters())
    optimizer = optimizer_of(model, args.optimizer)
    loss_of = torch.compile(model) if args.mode == "compile" else model
    rounded = rounded_products(args.products, args.device)
    secs, losses = [], []
    for _ in range(args.warmup + args.steps):
        text = torch.randint(shape.vocab_size, (shape.batch_size, shape.seq_len + 1))
        begin = time.perf_counter()
        text = text.to(args.device)
        with rounded:
            loss = loss_of(text[:, :-1], text[:, 1:])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())  # waits for all that was issued
        secs.append(time.perf_counter() - begin)
    step_secs = statistics.median(secs[args.warmup :])
    return {
        "model": args.model,
        "mode": args.mode,
        "optimizer": args.optimizer,
        "products": args.products,
        "threads": args.threads,
        "parameters": parameters,
        "step_secs": step_secs,
        "tokens_per_s": shape.batch_size * shape.seq_len / step_secs,
        "peak_resident_bytes": status_bytes("VmHWM"),
        "import_resident_bytes": import_bytes,
        **device_facts(args.device),
        "first_loss": losses[0],
        "last_loss": losses[-1],
        "torch": torch.__version__,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=shapes(), required=True)
    parser.add_argument("--mode", choices=["eager", "compile"], default="eager")
    parser.add_argument("--optimizer", choices=["fused", "foreach"], default="fused")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--products", choices=["f32", "tf32", "bf16"], default="f32")
    parser.add_argument("--batch", type=int, help="instead of the shape's own")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    json.dump(train(parser.parse_args()), sys.stdout)
    print()


if __name__ == "__main__":
    main()
