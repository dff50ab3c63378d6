"""What the peers' tests share: Lathe's program, its logits, and the two programs beside it."""
import json
import os
import subprocess
import sys
import sysconfig
import unicodedata
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file

HERE = Path(__file__).resolve().parent
LATHE = os.environ["LATHE"]  # the program; tests/peers/run sets it


def lathe(*words, env=None):
    """Runs a verb with --json and gives its last line; a failure shows what Lathe said."""
    done = subprocess.run([LATHE, *map(str, words), "--json"], text=True, capture_output=True,
                          env={**os.environ, **(env or {})})
    if done.returncode != 0:
        raise AssertionError(f"lathe {' '.join(map(str, words))}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def export(model, out, form, dtype="f32", env=None):
    """The report of an export, and the path it wrote."""
    return lathe("export", model, "--format", form, "--dtype", dtype, "-o", out, env=env)


def lathe_logits(model, rows, folder, last=False, env=None):
    """[(ids, logits)] of rows {"ids": ...}, {"text": ...} or {"messages": ...}."""
    data, out = folder / "rows.jsonl", folder / "logits.safetensors"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    out.unlink(missing_ok=True)
    lathe("export", model, "--format", "logits", "--data", data, *(["--last"] if last else []),
          "-o", out, env=env)
    found = load_file(out)
    return [(found[f"ids.{i}"].tolist(), found[f"logits.{i}"]) for i in range(len(rows))]


def transformers_model(folder):
    """A folder as float32, attention computed plainly."""
    from transformers import AutoModelForCausalLM
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32,
                                                 attn_implementation="eager")
    return model.eval()


def transformers_logits(model, ids):
    with torch.inference_mode():
        return model(torch.tensor([ids])).logits[0].numpy()


class LlamaCpp:
    """A GGUF file in llama.cpp, all logits kept, the cache of keys and values in float32."""

    def __init__(self, path, context=512, **options):
        from llama_cpp import Llama
        self.model = Llama(str(path), n_ctx=context, n_batch=context, n_ubatch=context,
                           logits_all=True, type_k=0, type_v=0, n_threads=2, n_threads_batch=2,
                           verbose=False, **options)

    def logits(self, ids):
        self.model.reset()
        self.model.eval(ids)
        return np.array(self.model.scores[:len(ids)])

    def tokens(self, text, special=False):
        return self.model.tokenize(text.encode("utf-8"), add_bos=True, special=special)


def log_softmax(logits):
    logits = logits.astype(np.float64)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def mean_kl(reference, other):
    """Nats a position, KL(reference || other)."""
    p, q = log_softmax(reference), log_softmax(other)
    return float((np.exp(p) * (p - q)).sum(axis=-1).mean())


def max_difference(a, b):
    return float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max())


def tell(name, value):
    """A measured number, for the documentation; pytest -rP shows it."""
    print(f"measured {name}: {value}", file=sys.stdout)


def prompts():
    return (HERE / "prompts.txt").read_text(encoding="utf-8").splitlines()


def prose():
    """English of the Python documentation, as the standard library carries it."""
    from pydoc_data.topics import topics
    return "\n\n".join(topics[name] for name in sorted(topics))


def given_text():
    """Rows of at most a thousand characters: Python's sources, this project's, every character of an
    old Unicode (which every library knows) among letters, digits, signs and spaces, and encyclopedia
    articles where LATHE_DATA names their folder."""
    root = HERE.parents[1]
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))[:60]
    files += sorted((root / "docs").glob("*.md")) + sorted((root / "engine/tokenizer").glob("*.*"))
    if os.environ.get("LATHE_DATA"):
        data = Path(os.environ["LATHE_DATA"])
        files += [data / "wikitext2/wiki.valid.tokens", data / "wiki_demo/wiki_demo.txt"]
    texts = [ALL_SORTS, *(file.read_bytes().decode("utf-8") for file in files)]
    old = unicodedata.ucd_3_2_0
    known = [chr(code) for code in range(0x30000) if old.category(chr(code)) not in ("Cn", "Cs", "Co")]
    texts.append("".join(f"a{c}b {c}{c} 1{c}2 '{c} !{c}!" for c in known if not is_common_ideograph(c)))
    return [text[at:at + 1000] for text in texts for at in range(0, len(text), 1000)]


def is_common_ideograph(character):
    """Most of them, of which one in a hundred is enough."""
    code = ord(character)
    ideograph = 0x3400 <= code < 0xA000 or 0xAC00 <= code < 0xD7A4 or code >= 0x20000
    return ideograph and code % 100 != 0


# Characters that word rules, byte alphabets and normalisers treat differently.
ALL_SORTS = (
    "Hello, world! It's 2024; isn't   it? We'LL see'd 1234567 3.14e-10 \t tabs\t\tand\n\n\nlines\r\n"
    "    def f(x):\n\treturn x**2 != y // 3  # note\nÄrger naïve façade Ørsted ß ĳ ﬁ\u00a0\u2009x "
    "漢字かなカナ 한국어 Привет мир سلام שלום नमस्ते ไทย Ελληνικά 😀👩‍👩‍👧🇩🇪 e\u0301 ½ Ⅷ ² ١٢٣ "
    "<html>&amp;</html> https://example.org/?q=a_b-c%20d {\"k\": [1, 2]} ___---===...,,,;;; "
    "\u200b\ufeff\u2028 zero\x01\x7f ▁▁ Ġ <S> [INST] <0x0A> end  ")
