"""SmolLM2-135M-Instruct as Lathe wrote it, in transformers and llama.cpp on the same tokens."""
import json

import numpy as np
import pytest
import torch

import peer

WINDOW, WINDOWS = 512, 40  # 20,480 tokens


@pytest.fixture(scope="session")
def ours(exports, tmp_path_factory):
    """Lathe's ids and logits of the hundred prompts, every position, from the folder in f32."""
    rows = [{"text": text} for text in peer.prompts()]
    return peer.lathe_logits(exports["hf-f32"], rows, tmp_path_factory.mktemp("ours"))


def transformers_gguf(path):
    from transformers import AutoModelForCausalLM
    return AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name,
                                                dtype=torch.float32).eval()


def agree(name, ours, others, limit):
    worst = max(peer.max_difference(a, b) for (_, a), b in zip(ours, others))
    same = sum(int(a[-1].argmax() == b[-1].argmax()) for (_, a), b in zip(ours, others))
    peer.tell(name, f"max |difference| {worst:.2e}, same first choice on {same} of {len(ours)}")
    assert worst < limit
    assert same == len(ours) == 100


def test_logits_agree_with_transformers(ours, transformers_smollm):
    agree("Lathe f32 / transformers f32", ours,
          [peer.transformers_logits(transformers_smollm, ids) for ids, _ in ours], 1e-2)


def test_logits_agree_with_llama_cpp(ours, exports):
    model = peer.LlamaCpp(exports["gguf-f32"])
    agree("Lathe f32 / llama.cpp f32", ours, [model.logits(ids) for ids, _ in ours], 1e-2)


def test_gguf_f16_is_one_model_everywhere(ours, exports, tmp_path):
    """The same rounded weights, as float32, in Lathe and transformers; llama.cpp also rounds what
    the weights are multiplied with, so it is held to its choices."""
    rows = [{"ids": ids} for ids, _ in ours]
    path = exports["gguf-f16"]
    halves = peer.lathe_logits(path, rows, tmp_path)
    model = transformers_gguf(path)
    agree("Lathe f16 / transformers, GGUF f16", halves,
          [peer.transformers_logits(model, ids) for ids, _ in ours], 1e-2)
    theirs = peer.LlamaCpp(path)
    agree("Lathe f16 / llama.cpp f16", halves, [theirs.logits(ids) for ids, _ in ours], 0.5)


def test_q8_0_costs_little(ours, exports, tmp_path):
    """Weights alone: llama.cpp also stores what they are multiplied with in eight bits."""
    rows = [{"ids": ids} for ids, _ in ours]
    halves = peer.lathe_logits(exports["gguf-f16"], rows, tmp_path)
    eights = peer.lathe_logits(exports["gguf-q8_0"], rows, tmp_path)
    kl = np.mean([peer.mean_kl(a, b) for (_, a), (_, b) in zip(halves, eights)])
    peer.tell("KL of Q8_0 from F16", f"{kl:.2e} nats a position")
    assert kl < 1e-3
    theirs = transformers_gguf(exports["gguf-q8_0"])
    agree("Lathe q8_0 / transformers, GGUF q8_0", eights,
          [peer.transformers_logits(theirs, ids) for ids, _ in ours], 1e-2)
    some = range(0, len(ours), 5)
    half, eight = peer.LlamaCpp(exports["gguf-f16"]), peer.LlamaCpp(exports["gguf-q8_0"])
    kl = np.mean([peer.mean_kl(half.logits(ours[i][0]), eight.logits(ours[i][0])) for i in some])
    peer.tell("the same in llama.cpp", f"{kl:.2e} nats a position")
    assert kl < 2e-2


def window_loss(logits, ids):
    return float(torch.nn.functional.cross_entropy(
        torch.from_numpy(logits[:-1]), torch.tensor(ids[1:]), reduction="sum"))


def test_perplexity_of_20000_tokens(exports, transformers_smollm, tmp_path):
    from transformers import AutoTokenizer
    text = peer.prose()[:120_000]
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    ids = AutoTokenizer.from_pretrained(exports["hf-f32"])(text).input_ids
    assert len(ids) >= WINDOW * WINDOWS
    windows = [ids[i * WINDOW:(i + 1) * WINDOW] for i in range(WINDOWS)]
    env = {"XDG_DATA_HOME": str(tmp_path)}

    def ours(name, count):
        result = peer.lathe("eval", exports[name], "--task", "ppl", "--data", tmp_path / "text.txt",
                            "--window", WINDOW, "--limit", count, env=env)
        return result["eval"]["metrics"]["task/ppl"]

    def theirs(logits, count):
        loss = sum(window_loss(logits(window), window) for window in windows[:count])
        return float(np.exp(loss / (count * (WINDOW - 1))))

    def agree(name, a, b, count):
        peer.tell(f"perplexity of {WINDOW * count} tokens, {name}", f"{a:.5f}, {b:.5f}")
        assert abs(b / a - 1) < 1e-3

    agree("Lathe and transformers", ours("hf-f32", WINDOWS),
          theirs(lambda ids: peer.transformers_logits(transformers_smollm, ids), WINDOWS), WINDOWS)
    few = WINDOWS // 4
    agree("Lathe and llama.cpp, GGUF f16", ours("gguf-f16", few),
          theirs(peer.LlamaCpp(exports["gguf-f16"]).logits, few), few)


CHATS = [
    [{"role": "user", "content": "Hi, who are you?"}],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 2+2?"},
     {"role": "assistant", "content": "4."}, {"role": "user", "content": "And <|im_end|> 3+3?"}],
]


def test_chat_template_travels(smollm, exports):
    from transformers import AutoTokenizer
    tokenizer = AutoTokenizer.from_pretrained(exports["hf-f32"])
    original = AutoTokenizer.from_pretrained(smollm.parent, gguf_file=smollm.name)
    template = peer.LlamaCpp(exports["gguf-f16"]).model.metadata["tokenizer.chat_template"]
    assert template == tokenizer.chat_template
    for chat in CHATS:
        text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        assert text == original.apply_chat_template(chat, tokenize=False,
                                                    add_generation_prompt=True)


def test_chat_template_is_rendered_alike(exports, tmp_path):
    from transformers import AutoTokenizer
    tokenizer = AutoTokenizer.from_pretrained(exports["hf-f32"])
    ours = peer.lathe_logits(exports["hf-f32"], [{"messages": chat} for chat in CHATS], tmp_path,
                             last=True)
    back = peer.lathe_logits(exports["gguf-f32"], [{"messages": chat} for chat in CHATS], tmp_path,
                             last=True)
    for chat, (ids, _), (again, _) in zip(CHATS, ours, back):
        text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        assert ids == tokenizer(text, add_special_tokens=False).input_ids
        assert again == ids


def test_model_card_and_config_say_what_it_is(exports):
    card = (exports["hf-f32"] / "README.md").read_text(encoding="utf-8")
    assert "apache-2.0" in card and "hash" in card
    config = json.loads((exports["hf-f32"] / "config.json").read_text(encoding="utf-8"))
    assert config["eos_token_id"] == 2
