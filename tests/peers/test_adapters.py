"""Adapters in both directions: PEFT puts what Lathe trained beside the base, Lathe what PEFT made,
and both compute the same."""
import json

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig

import peer
from test_factored import IDS, LLAMA, write_byte_tokenizer

SHAPES = {
    "llama": LlamaConfig(**LLAMA, tie_word_embeddings=False),
    "mistral": MistralConfig(**LLAMA, sliding_window=96, tie_word_embeddings=True),
}


@pytest.fixture(params=SHAPES, scope="module")
def base(request, tmp_path_factory):
    """The folder around a random model with a tokenizer and a text."""
    folder = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_config(SHAPES[request.param]).float()
    model.save_pretrained(folder / "base")
    write_byte_tokenizer(folder / "base")
    (folder / "corpus").mkdir()
    (folder / "corpus" / "text.txt").write_text(peer.prose()[:60000], encoding="utf-8")
    return folder


def trained(folder, base, *settings):
    """The id of a run of a few steps with adapters."""
    config = folder / "run.json"
    config.write_text(json.dumps({
        "model": {"from": str(base)}, "data": {"path": str(folder / "corpus"), "extensions": [".txt"]},
        "train": {"steps": 12, "batch_size": 2, "seq_len": 64, "eval_batches": 1, "eval_every": 0},
        "optim": {"lr": 0.01, "warmup_steps": 1}}), encoding="utf-8")
    store = ("--store", folder / "store.sqlite")
    peer.lathe(*store, "run", config, *settings)
    return store, peer.lathe(*store, "ls", "runs")["id"]


def beside(base, adapter):
    """The base in transformers with an adapter that PEFT reads."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager")
    return PeftModel.from_pretrained(model, adapter).eval()


@pytest.mark.parametrize("settings", [
    ("lora.rank=4", "targets=q,k,v,down", "lora.dropout=0.1"),
    ("lora.rank=3", "targets=all", "lora.init=pissa"),
], ids=["lora", "pissa"])
@pytest.mark.parametrize("form", ["hf", "gguf"])
def test_peft_reads_what_lathe_trained(base, form, settings, tmp_path):
    start = base / "base"
    if form == "gguf":
        if "mistral" in base.name:
            pytest.skip("gguf does not hold a sliding window")
        start = tmp_path / "base.gguf"  # rows of q and k in another order
        peer.export(base / "base", start, "gguf")
    store, run = trained(base, start, *settings)
    peer.lathe(*store, "export", run, "--format", "peft", "-o", tmp_path / "adapter")
    peer.lathe(*store, "export", run, "--format", "hf", "--dtype", "f32", "-o", tmp_path / "merged")
    (_, ours), = peer.lathe_logits(tmp_path / "merged", [{"ids": IDS}], tmp_path)
    (_, again), = peer.lathe_logits(tmp_path / "adapter", [{"ids": IDS}], tmp_path)
    theirs = peer.transformers_logits(beside(base / "base", tmp_path / "adapter"), IDS)
    (_, without), = peer.lathe_logits(base / "base", [{"ids": IDS}], tmp_path)
    worst = peer.max_difference(theirs, ours)
    peer.tell(f"{base.name} {form} {settings[0]}: PEFT / Lathe", f"max |difference| {worst:.2e}")
    assert worst < 1e-3
    assert peer.max_difference(again, ours) < 1e-3
    assert peer.max_difference(without, ours) > 0.01  # it has learnt something


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("rslora", [False, True], ids=["lora", "rslora"])
def test_lathe_reads_what_peft_made(base, rslora, dtype, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(base / "base", dtype=torch.float32,
                                                 attn_implementation="eager")
    torch.manual_seed(4)
    adapted = get_peft_model(model, LoraConfig(r=5, lora_alpha=8, use_rslora=rslora, task_type="CAUSAL_LM",
                                               target_modules=["q_proj", "k_proj", "up_proj"]))
    for name, parameter in adapted.named_parameters():
        if ".lora_" in name:
            parameter.data = (0.1 * torch.randn_like(parameter)).to(dtype).float()
    expected = peer.transformers_logits(adapted.eval(), IDS)
    for name, parameter in adapted.named_parameters():
        if ".lora_" in name:
            parameter.data = parameter.data.to(dtype)
    adapted.save_pretrained(tmp_path / "adapter")
    (_, ours), = peer.lathe_logits(tmp_path / "adapter", [{"ids": IDS}], tmp_path)
    worst = peer.max_difference(expected, ours)
    peer.tell(f"{base.name} {'rslora' if rslora else 'lora'} {dtype}: Lathe / PEFT",
              f"max |difference| {worst:.2e}")
    assert worst < 1e-3


def test_what_lathe_does_not_compute_is_refused(base, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(base / "base", dtype=torch.float32)
    get_peft_model(model, LoraConfig(r=2, use_dora=True, target_modules=["q_proj"])).save_pretrained(
        tmp_path / "dora")
    with pytest.raises(AssertionError, match="use_dora"):
        peer.lathe_logits(tmp_path / "dora", [{"ids": IDS}], tmp_path)
