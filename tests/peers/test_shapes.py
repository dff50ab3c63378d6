"""Small random models that transformers made, of every shape that Lathe reads: the same logits in
Lathe, in transformers from what Lathe wrote, and in llama.cpp where it knows the shape."""
import pytest
import torch
from transformers import (AutoModelForCausalLM, GPT2Config, GPTBigCodeConfig, LlamaConfig,
                          MistralConfig)

import peer

VOCAB = 320
LLAMA = dict(vocab_size=VOCAB, hidden_size=64, intermediate_size=160, num_hidden_layers=3,
             num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128)
GPT2 = dict(vocab_size=VOCAB, n_embd=64, n_layer=3, n_head=4, n_positions=128, n_inner=192)
SHAPES = {
    "llama": (LlamaConfig(**LLAMA, tie_word_embeddings=False), True),
    "llama_tied_wide_heads": (LlamaConfig(**LLAMA, head_dim=32, tie_word_embeddings=True), True),
    "llama3_rope": (LlamaConfig(**LLAMA, rope_parameters={
        "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 32}), False),
    "llama_linear_rope": (LlamaConfig(**LLAMA, rope_parameters={
        "rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0}), True),
    "mistral_window": (MistralConfig(**LLAMA, sliding_window=24, tie_word_embeddings=False), False),
    "mistral": (MistralConfig(**LLAMA, sliding_window=None), True),
    "gpt2": (GPT2Config(**GPT2), True),
    "gpt2_exact_gelu": (GPT2Config(**GPT2, activation_function="gelu"), False),
    "gpt_bigcode": (GPTBigCodeConfig(**GPT2, multi_query=True), True),
}
# Longer than Mistral's window; ids of all sizes.
IDS = [(i * 7919 + 13) % VOCAB for i in range(96)]


@pytest.fixture(params=SHAPES, scope="module")
def shape(request, tmp_path_factory):
    """The model in transformers, its folder, whether GGUF files can hold it."""
    config, in_gguf = SHAPES[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(len(request.param))
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    for parameter in model.parameters():  # biases and gains too, which start at 0 and 1
        parameter.data += 0.05 * torch.randn_like(parameter)
    model.save_pretrained(folder / "original")
    return model, folder, in_gguf


def close(a, b, limit=2e-4):
    assert peer.max_difference(a, b) < limit


def test_lathe_computes_the_same(shape):
    model, folder, _ = shape
    expected = peer.transformers_logits(model, IDS)
    (_, ours), = peer.lathe_logits(folder / "original", [{"ids": IDS}], folder)
    close(expected, ours)


def test_export_opens_in_transformers(shape):
    model, folder, _ = shape
    expected = peer.transformers_logits(model, IDS)
    peer.export(folder / "original", folder / "again", "hf")
    again = peer.transformers_model(folder / "again")
    # Without a window Mistral is LLaMA.
    windowed = getattr(model.config, "sliding_window", None) is not None
    same = model.config.model_type if windowed or "mistral" not in folder.name else "llama"
    assert again.config.model_type == same
    close(expected, peer.transformers_logits(again, IDS), 1e-5)


def test_gguf_opens_in_llama_cpp(shape):
    model, folder, in_gguf = shape
    if not in_gguf:
        with pytest.raises(AssertionError, match="gguf"):
            peer.export(folder / "original", folder / "no.gguf", "gguf")
        return
    expected = peer.transformers_logits(model, IDS)
    path = folder / "model.gguf"
    peer.export(folder / "original", path, "gguf")
    (_, ours), = peer.lathe_logits(path, [{"ids": IDS}], folder)
    close(expected, ours)
    close(expected, peer.LlamaCpp(path, context=128).logits(IDS), 5e-3)
