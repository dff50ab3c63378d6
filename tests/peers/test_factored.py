"""Models whose layers Lathe decomposed: transformers reads the folder of factors by its modelling file,
and the multiplied-out forms as any model, with Lathe's logits; llama.cpp likewise."""
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, GPT2Config, GPTBigCodeConfig, LlamaConfig, MistralConfig

import peer

VOCAB = 320
LLAMA = dict(vocab_size=VOCAB, hidden_size=64, intermediate_size=160, num_hidden_layers=3,
             num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128)
GPT2 = dict(vocab_size=VOCAB, n_embd=64, n_layer=3, n_head=4, n_positions=128, n_inner=192)
# Files of GPT-2's kin keep q, k and v as one matrix, which cannot be two factors.
SHAPES = {
    "llama": (LlamaConfig(**LLAMA, tie_word_embeddings=False), "all"),
    "llama_tied": (LlamaConfig(**LLAMA, tie_word_embeddings=True), "all"),
    "mistral_window": (MistralConfig(**LLAMA, sliding_window=96, tie_word_embeddings=False), "all"),
    "gpt2": (GPT2Config(**GPT2), "mlp"),
    "gpt_bigcode": (GPTBigCodeConfig(**GPT2, multi_query=True), "mlp"),
}
IDS = [(i * 7919 + 13) % VOCAB for i in range(96)]


def write_byte_tokenizer(folder):
    vocabulary = {symbol: i for i, symbol in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|end|>"])
    tokenizer.save(str(folder / "tokenizer.json"))


@pytest.fixture(params=SHAPES, scope="module")
def factored(request, tmp_path_factory):
    """The folder around a random model and its factored form, Lathe's logits of that, its report."""
    config, target = SHAPES[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(len(request.param))
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    model.save_pretrained(folder / "original")
    write_byte_tokenizer(folder / "original")
    (folder / "text.txt").write_text(peer.prose()[:40000], encoding="utf-8")
    (folder / "more.txt").write_text(peer.prose()[40000:60000], encoding="utf-8")
    report = peer.lathe("--store", folder / "store.sqlite", "compress", folder / "original", "rank=16",
                        f"target={target}", "multiple=1", "calibration.samples=8",
                        "calibration.seq_len=64", "heldout_windows=2", f"data.path={folder}",
                        "data.extensions=.txt", "data.heldout=0.5", "--dtype", "f32", "-o", folder / "kept")
    (_, ours), = peer.lathe_logits(folder / "kept", [{"ids": IDS}], folder)
    return folder, ours, report["compress"]


def test_transformers_reads_the_factors(factored):
    folder, ours, report = factored
    model = AutoModelForCausalLM.from_pretrained(folder / "kept", dtype=torch.float32, trust_remote_code=True,
                                                 attn_implementation="eager").eval()
    assert model.num_parameters() == report["params_after"] < report["params_before"]
    assert peer.max_difference(peer.transformers_logits(model, IDS), ours) < 2e-4


def test_transformers_reads_what_was_multiplied_out(factored):
    folder, ours, _ = factored
    if "mistral" in folder.name:  # its linear layers have no place for the biases of the factors
        with pytest.raises(AssertionError, match="bring one"):
            peer.export(folder / "kept", folder / "dense", "hf")
        return
    peer.export(folder / "kept", folder / "dense", "hf")
    model = peer.transformers_model(folder / "dense")
    assert peer.max_difference(peer.transformers_logits(model, IDS), ours) < 2e-4


def test_llama_cpp_reads_what_was_multiplied_out(factored):
    folder, ours, _ = factored
    if "mistral" in folder.name:
        with pytest.raises(AssertionError, match="gguf"):
            peer.export(folder / "kept", folder / "no.gguf", "gguf")
        return
    peer.export(folder / "kept", folder / "dense.gguf", "gguf")
    assert peer.max_difference(peer.LlamaCpp(folder / "dense.gguf", context=128).logits(IDS), ours) < 5e-3
