"""The reader of docs/palettes.md, which is NumPy alone, on palettes of every kind: its weights are those of the dense
folder that Lathe exports, bit by bit, and transformers computes with that folder what Lathe does with the palettes."""
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

import peer
from test_factored import IDS, VOCAB, write_byte_tokenizer

# Rows are whole blocks of one, two, three and four neighbours.
SHAPE = dict(vocab_size=VOCAB, hidden_size=192, intermediate_size=384, num_hidden_layers=2,
             num_attention_heads=6, num_key_value_heads=3, max_position_embeddings=128,
             tie_word_embeddings=False)
FORMS = {
    "one palette": ["quant.bits=3"],
    "rows": ["quant.bits=5", "quant.palette_rows=32"],
    "clusters and scales": ["quant.bits=4", "quant.clusters=13", "quant.palette_scale=true"],
    "pairs": ["quant.bits=6", "quant.palette_dim=2", "quant.palette_scale=true"],
    "triples": ["quant.bits=7", "quant.palette_dim=3", "quant.palette_rows=96"],
    "quadruples": ["quant.bits=8", "quant.palette_dim=4"],
}


def reader():
    page = (Path(__file__).parents[2] / "docs" / "palettes.md").read_text(encoding="utf-8")
    source, = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert source.count("\n") <= 60
    names = {"__name__": "reader"}
    exec(source, names)
    return names


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("palettes")
    torch.manual_seed(5)
    model = AutoModelForCausalLM.from_config(LlamaConfig(**SHAPE)).float()
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    model.save_pretrained(folder / "original")
    write_byte_tokenizer(folder / "original")
    return folder


@pytest.mark.parametrize("form", FORMS)
def test_reader_gives_the_weights(original, form, tmp_path):
    store = ("--store", tmp_path / "store.sqlite")
    peer.lathe(*store, "compress", original / "original", "decompose=false", "quant.type=palette", *FORMS[form],
               "heldout_windows=0", "--dtype", "f32", "-o", tmp_path / "small")
    peer.lathe(*store, "export", tmp_path / "small", "--format", "hf", "--dtype", "f32", "-o", tmp_path / "dense")
    read_model = reader()["read_model"]
    packed = dict(read_model(tmp_path / "small"))
    dense = dict(read_model(tmp_path / "dense"))
    assert packed.keys() == dense.keys()
    for name in packed:
        assert np.array_equal(packed[name], dense[name]), name
    (_, ours), = peer.lathe_logits(tmp_path / "small", [{"ids": IDS}], tmp_path)
    theirs = peer.transformers_logits(AutoModelForCausalLM.from_pretrained(tmp_path / "dense", dtype=torch.float32),
                                      IDS)
    worst = peer.max_difference(theirs, ours)
    peer.tell(f"{form}: transformers on the dense folder / Lathe on the palettes", f"max |difference| {worst:.2e}")
    assert worst < 1e-3
