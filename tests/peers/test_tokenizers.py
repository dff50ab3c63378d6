"""Tokenizers as Lathe wrote them: the same ids in transformers, llama.cpp and Lathe, and back."""
import os
import shutil
from pathlib import Path

import pytest
import sentencepiece
import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing
from transformers import (AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast)

import peer

VOCAB = 1200
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
MARKS = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = ("{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
            "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")


def byte_level(splitters, ignore_merges=False):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = (splitters[0] if len(splitters) == 1 else
                               pre_tokenizers.Sequence(splitters))
    tokenizer.decoder = decoders.ByteLevel()
    train(tokenizer, pre_tokenizers.ByteLevel.alphabet(), MARKS)
    return tokenizer


def train(tokenizer, alphabet, marks):
    trainer = trainers.BpeTrainer(vocab_size=VOCAB - 10, special_tokens=marks, show_progress=False,
                                  initial_alphabet=alphabet)
    tokenizer.train_from_iterator([peer.prose()[:300_000], peer.ALL_SORTS], trainer)


def characters(metaspace=False):
    """LLaMA 2's kind: characters, then bytes; a text begins with a space and <s>. The space comes from
    a normalizer or, as transformers writes it since version 5, from a Metaspace."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    # Words while training alone, as SentencePiece keeps pieces within them.
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    train(tokenizer, [], ["<unk>", *MARKS] + [f"<0x{byte:02X}>" for byte in range(256)])
    tokenizer.pre_tokenizer = None
    if metaspace:
        tokenizer.normalizer = None
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(),
                                           decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B",
        special_tokens=[("<s>", tokenizer.token_to_id("<s>"))])
    return tokenizer


def plain_bytes(**options):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, **options)


KINDS = {
    "gpt2": lambda: byte_level([plain_bytes()]),
    "starcoder": lambda: byte_level([pre_tokenizers.Digits(individual_digits=True), plain_bytes()]),
    "llama3": lambda: byte_level([pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
                                  plain_bytes(use_regex=False)], ignore_merges=True),
    "llama2": characters,
    "llama2-metaspace": lambda: characters(metaspace=True),
}


def unmark_bytes(folder):
    """The trainer makes <0x0A> marks; in real vocabularies they are tokens like any other."""
    import json
    path = folder / "tokenizer.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["added_tokens"] = [mark for mark in document["added_tokens"]
                                if not mark["content"].startswith("<0x")]
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")


def tiny_model(folder, vocab_size):
    """Random weights: a folder that Lathe opens, whatever its tokenizer."""
    torch.manual_seed(1)
    LlamaForCausalLM(LlamaConfig(
        vocab_size=vocab_size, hidden_size=64, intermediate_size=96, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=4096)).save_pretrained(folder)


@pytest.fixture(params=KINDS, scope="module")
def model(request, tmp_path_factory):
    """A folder with a small random model and a tokenizer of the kind, as transformers saves it."""
    folder = tmp_path_factory.mktemp(request.param)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=KINDS[request.param](), bos_token="<s>",
                                        eos_token="</s>", chat_template=TEMPLATE)
    tiny_model(folder / "original", VOCAB)
    tokenizer.save_pretrained(folder / "original")
    unmark_bytes(folder / "original")
    return folder


def lathe_ids(path, text, folder):
    (ids, _), = peer.lathe_logits(path, [{"text": text}], folder, last=True)
    return ids


def texts():
    return [peer.ALL_SORTS, peer.prose()[:8000]]


def test_ids_are_the_same_everywhere(model):
    original = AutoTokenizer.from_pretrained(model / "original")
    peer.export(model / "original", model / "model.gguf", "gguf")
    peer.export(model / "model.gguf", model / "back", "hf")
    back = AutoTokenizer.from_pretrained(model / "back")
    llama = peer.LlamaCpp(model / "model.gguf", context=64)
    for text in texts():
        expected = original(text).input_ids
        assert lathe_ids(model / "original", text, model) == expected
        assert lathe_ids(model / "model.gguf", text, model) == expected
        assert lathe_ids(model / "back", text, model) == expected
        assert back(text).input_ids == expected
        assert back.decode(expected) == original.decode(expected)
        assert llama.tokens(text) == expected
    assert back.chat_template == TEMPLATE
    assert (back.bos_token, back.eos_token) == ("<s>", "</s>")


def compare_all(path, expected_ids, folder, rows=None):
    """Lathe's ids on every row of the text, against a function that gives the expected ones."""
    rows = rows or peer.given_text()
    different, tokens = [], 0
    found = peer.lathe_logits(path, [{"text": row} for row in rows], folder, last=True)
    for row, (ids, _) in zip(rows, found, strict=True):
        expected = expected_ids(row)
        tokens += len(expected)
        if ids != expected:
            different.append(row)
    assert not different, f"{len(different)} of {len(rows)} rows differ, the first: {different[0]!r}"
    peer.tell(f"{path.name} of {folder.name}",
              f"{tokens} ids of {sum(map(len, rows))} characters are equal")


def as_plain_text(tokenizer):
    """A mark that a text happens to have is text in it, as in Lathe's rows of text."""
    return lambda row: tokenizer(row, split_special_tokens=True).input_ids


def test_ids_of_all_of_a_text(model):
    original = AutoTokenizer.from_pretrained(model / "original")
    compare_all(model / "original", as_plain_text(original), model)


def test_ids_of_all_of_a_text_in_smollm2(exports, tmp_path):
    """SmolLM2's tokenizer beside a model that is quick to run."""
    folder = tmp_path / "smollm2"
    tokenizer = AutoTokenizer.from_pretrained(exports["hf-f32"])
    tiny_model(folder, len(tokenizer))
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(exports["hf-f32"] / file, folder)
    compare_all(folder, as_plain_text(tokenizer), tmp_path)


def test_ids_of_all_of_a_text_in_sentencepiece(tmp_path):
    """A folder with a tokenizer.model alone, against the library: LLaMA 2's where it is there, else one
    trained here. Transformers orders merges by id where it converts such a file itself, and so cuts
    runs of spaces as LLaMA 2's scores do not."""
    folder = tmp_path / "pieces"
    folder.mkdir()
    data = os.environ.get("LATHE_DATA")
    if data:
        shutil.copy(Path(data) / "llama2_tokenizer/tokenizer.model", folder)
    else:
        (tmp_path / "prose.txt").write_text(peer.prose()[:300_000], encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=str(tmp_path / "prose.txt"), model_prefix=str(folder / "tokenizer"),
            vocab_size=VOCAB, model_type="bpe", byte_fallback=True, split_digits=True,
            normalization_rule_name="identity", remove_extra_whitespaces=False)
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    tiny_model(folder, pieces.vocab_size())
    compare_all(folder, lambda row: pieces.encode(row, add_bos=True), tmp_path)


def test_ids_of_smollm(exports):
    """Real vocabularies: GGUF to folder and back to GGUF."""
    tokenizer = AutoTokenizer.from_pretrained(exports["hf-f32"])
    llama = peer.LlamaCpp(exports["gguf-f16"])
    folder = exports["hf-f32"].parent
    for text in texts():
        expected = tokenizer(text).input_ids
        assert lathe_ids(exports["hf-f32"], text, folder) == expected
        assert lathe_ids(exports["gguf-f16"], text, folder) == expected
        assert llama.tokens(text) == expected


@pytest.mark.parametrize("kind", ["byte", "bpe"])
def test_a_run_goes_out(kind, tmp_path):
    """A run of low rank, with the tokenizer of its corpus."""
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus/a.txt").write_text(peer.prose()[:200_000], encoding="utf-8")
    (tmp_path / "corpus/b.txt").write_text(peer.prose()[200_000:300_000], encoding="utf-8")
    env = {"XDG_DATA_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    peer.lathe("run", "low_rank_tiny", f"data.path={tmp_path}/corpus", f"data.tokenizer={kind}",
               "data.vocab_size=600", "data.heldout=0.4", "train.steps=20", "name=low", env=env)
    report = peer.export("low", tmp_path / "low", "hf", env=env)
    assert len(report["merged"]) == 14
    peer.export("low", tmp_path / "low.gguf", "gguf", env=env)
    text = "The words of a text: 12 or 345?  Tabs\tand lines\n  all sorts, ÄÖ 漢."[:60]
    (ids, ours), = peer.lathe_logits("low", [{"text": text}], tmp_path, env=env)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "low")
    assert tokenizer(text).input_ids == ids
    assert tokenizer.decode(ids) == text
    llama = peer.LlamaCpp(tmp_path / "low.gguf", context=64)
    assert llama.tokens(text) == ids
    model = peer.transformers_model(tmp_path / "low")
    assert peer.max_difference(peer.transformers_logits(model, ids), ours) < 1e-4
    assert peer.max_difference(llama.logits(ids), ours) < 1e-2
    card = (tmp_path / "low/README.md").read_text(encoding="utf-8")
    assert '"low_rank"' in card and "eval/loss" in card
