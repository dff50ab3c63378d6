"""NF4, quantised once and twice, and int8 by rows, in both directions: bitsandbytes gives a weight the very
codes that Lathe gives it, transformers loads Lathe's folders, Lathe reads those that transformers saves, and
both compute the same."""
import json

import bitsandbytes.functional as bnb
import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, LlamaConfig

import peer
from test_factored import IDS, VOCAB, write_byte_tokenizer

# Rows are whole blocks of 64, tensors more than 256 of them.
SHAPE = dict(vocab_size=VOCAB, hidden_size=128, intermediate_size=320, num_hidden_layers=2,
             num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128,
             tie_word_embeddings=False)
FORMS = {
    "nf4": ["quant.type=nf4"],
    "nf4_dq": ["quant.type=nf4_dq"],
    "int8_row": ["quant.type=int8_row"],
}


def config_of(form):
    if form == "int8_row":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4",
                              bnb_4bit_use_double_quant=form == "nf4_dq",
                              bnb_4bit_compute_dtype=torch.float32)


def loaded(folder, **options):
    """In training mode, where weights of 4 bits are decoded to float32; its kernel for inference on a processor is
    coarser (logits of these models move by 0.03). Nothing is dropped: they have no dropout."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager",
                                                device_map="cpu", **options).train()


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bnb")
    torch.manual_seed(5)
    model = AutoModelForCausalLM.from_config(LlamaConfig(**SHAPE)).float()
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    model.save_pretrained(folder / "original")
    write_byte_tokenizer(folder / "original")
    (folder / "text.txt").write_text(peer.prose()[:20000], encoding="utf-8")
    return folder


def compressed(folder, out, form, *more):
    peer.lathe("--store", folder / "store.sqlite", "compress", folder / "original", "decompose=false",
               *FORMS[form], *more, "heldout_windows=0", f"data.path={folder}", "data.extensions=.txt",
               "--dtype", "f32", "-o", out)
    return out


@pytest.mark.parametrize("form", FORMS)
def test_transformers_loads_what_lathe_wrote(original, form, tmp_path):
    out = compressed(original, tmp_path / "small", form)
    assert json.loads((out / "config.json").read_text())["quantization_config"]["quant_method"] == "bitsandbytes"
    (_, ours), = peer.lathe_logits(out, [{"ids": IDS}], tmp_path)
    theirs = peer.transformers_logits(loaded(out), IDS)
    (_, exact), = peer.lathe_logits(original / "original", [{"ids": IDS}], tmp_path)
    worst, cost = peer.max_difference(theirs, ours), peer.max_difference(exact, ours)
    peer.tell(f"{form}: transformers / Lathe", f"max |difference| {worst:.2e}; rounding costs {cost:.2e}")
    assert worst < 1e-3
    assert cost > 0.005


@pytest.mark.parametrize("form", FORMS)
def test_lathe_reads_what_transformers_saved(original, form, tmp_path):
    model = loaded(original / "original", quantization_config=config_of(form))
    model.save_pretrained(tmp_path / "theirs")
    write_byte_tokenizer(tmp_path / "theirs")
    expected = peer.transformers_logits(model, IDS)
    (_, ours), = peer.lathe_logits(tmp_path / "theirs", [{"ids": IDS}], tmp_path)
    (_, same), = peer.lathe_logits(compressed(original, tmp_path / "small", form), [{"ids": IDS}], tmp_path)
    peer.tell(f"{form}: Lathe / transformers", f"max |difference| {peer.max_difference(expected, ours):.2e}")
    assert peer.max_difference(expected, ours) < 1e-3
    # Their roundings are ours, but for a sum in another order (nf4_dq) and weights that were float16 before (int8):
    # some codes are the next one.
    assert peer.max_difference(same, ours) < {"nf4": 1e-3, "nf4_dq": 0.02, "int8_row": 0.05}[form]


def equal_share(a, b):
    return (a == b).float().mean().item()


def test_codes_are_those_of_bitsandbytes(original, tmp_path):
    """Bit by bit of every matrix, but where a mean was summed in another order (nf4_dq's offset)."""
    once = compressed(original, tmp_path / "once", "nf4")
    twice = compressed(original, tmp_path / "twice", "nf4_dq")
    codes = 0
    with safe_open(original / "original" / "model.safetensors", "pt") as weights, \
         safe_open(once / "model.safetensors", "pt") as one, \
         safe_open(twice / "model.safetensors", "pt") as two:
        for name in weights.keys():
            if "_proj" not in name:
                continue
            packed, state = bnb.quantize_4bit(weights.get_tensor(name), blocksize=64, quant_type="nf4")
            assert torch.equal(one.get_tensor(name), packed), name
            assert torch.equal(one.get_tensor(name + ".absmax"), state.absmax), name
            _, nested = bnb.quantize_4bit(weights.get_tensor(name), blocksize=64, quant_type="nf4",
                                          compress_statistics=True)
            assert torch.equal(two.get_tensor(name), packed), name
            assert equal_share(two.get_tensor(name + ".absmax"), nested.absmax) > 0.98, name
            assert torch.allclose(two.get_tensor(name + ".nested_absmax"), nested.state2.absmax, rtol=1e-5)
            codes += packed.numel() * 2
    peer.tell("NF4 codes equal to bitsandbytes'", codes)


def test_adapters_train_beside_what_transformers_saved(original, tmp_path):
    """QLoRA from a folder of bitsandbytes: the base's bytes stay what they were."""
    loaded(original / "original", quantization_config=config_of("nf4")).save_pretrained(tmp_path / "base")
    write_byte_tokenizer(tmp_path / "base")
    before = (tmp_path / "base" / "model.safetensors").read_bytes()
    config = tmp_path / "run.json"
    config.write_text(json.dumps({
        "model": {"from": str(tmp_path / "base")}, "method": {"lora": {"rank": 4}},
        "data": {"path": str(original), "extensions": [".txt"]},
        "train": {"steps": 8, "batch_size": 2, "seq_len": 64, "eval_batches": 1, "eval_every": 0},
        "optim": {"lr": 0.01, "warmup_steps": 1}}), encoding="utf-8")
    store = ("--store", tmp_path / "store.sqlite")
    peer.lathe(*store, "run", config)
    run = peer.lathe(*store, "ls", "runs")["id"]
    (_, trained), = peer.lathe_logits(run, [{"ids": IDS[:64]}], tmp_path,
                                      env={"LATHE_STORE": str(tmp_path / "store.sqlite")})
    (_, base), = peer.lathe_logits(tmp_path / "base", [{"ids": IDS[:64]}], tmp_path)
    assert peer.max_difference(trained, base) > 0.01
    assert (tmp_path / "base" / "model.safetensors").read_bytes() == before


def test_peft_begins_where_loftq_ended(original, tmp_path):
    """The adapters that lie beside a model rounded with quant.loftq_rank, put there by PEFT as its documentation does."""
    from peft import PeftModel
    out = compressed(original, tmp_path / "small", "nf4", "quant.loftq_rank=8")
    model = PeftModel.from_pretrained(loaded(out), out, subfolder="loftq_init", is_trainable=True)
    theirs = peer.transformers_logits(model, IDS)
    (_, ours), = peer.lathe_logits(out / "loftq_init", [{"ids": IDS}], tmp_path)
    (_, alone), = peer.lathe_logits(out, [{"ids": IDS}], tmp_path)
    (_, exact), = peer.lathe_logits(original / "original", [{"ids": IDS}], tmp_path)
    assert peer.max_difference(theirs, ours) < 1e-3
    assert peer.mean_kl(exact, ours) < 0.95 * peer.mean_kl(exact, alone)


@pytest.mark.parametrize("change, told", [
    ({"blocksize": 128}, "blocksize"), ({"quant_type": "nf4", "shape": [128, 100]}, "whole blocks"),
    ({"shape": [128, 64]}, "not of its shape")])
def test_what_is_not_read_is_refused(original, change, told, tmp_path):
    from safetensors.torch import load_file, save_file
    out = compressed(original, tmp_path / "small", "nf4")
    tensors = load_file(out / "model.safetensors")
    name = next(name for name in tensors if name.endswith("nf4"))
    state = {**json.loads(bytes(tensors[name].tolist())), **change}
    tensors[name] = torch.tensor(list(json.dumps(state).encode()), dtype=torch.uint8)
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(AssertionError, match=told):
        peer.lathe_logits(out, [{"ids": IDS}], tmp_path)
