#!/usr/bin/env python3
"""Multiple choice, finance sentiment and WikiText pages scored apart from Lathe: the rules of
lm-evaluation-harness written down once more, on a float64 forward pass in numpy.

    choice_reference.py DATA    prints the numbers that tests/eval/harness_test.cpp expects

DATA is the folder of the data sets. The model is stories260k (llama2.c's format). Only numpy is
needed.
"""
import csv
import json
import math
import re
import struct
import sys

import numpy as np

ITEMS = 40
BOS = 1


class Model:
    def __init__(self, path):
        raw = open(path, "rb").read()
        (self.dim, hidden, self.layers, self.heads, self.kv_heads, vocab, self.context) = (
            struct.unpack("7i", raw[:28]))
        values = np.frombuffer(raw[28:], dtype=np.float32).astype(np.float64)
        self.at = 0

        def take(*shape):
            count = int(np.prod(shape))
            part = values[self.at:self.at + count].reshape(shape)
            self.at += count
            return part

        n, d = self.layers, self.dim
        kv = self.kv_heads * d // self.heads
        self.embedding = take(vocab, d)
        self.norm1, self.q, self.k = take(n, d), take(n, d, d), take(n, kv, d)
        self.v, self.o, self.norm2 = take(n, kv, d), take(n, d, d), take(n, d)
        self.gate, self.down, self.up = take(n, hidden, d), take(n, d, hidden), take(n, hidden, d)
        self.norm = take(d)

    @staticmethod
    def normed(x, gain):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * gain

    def turned(self, x, heads):
        length, width = len(x), self.dim // self.heads
        x = x.reshape(length, heads, width // 2, 2)
        angle = np.arange(length)[:, None] * 10000.0 ** (-np.arange(0, width, 2) / width)
        cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
        a, b = x[..., 0], x[..., 1]
        return np.stack([a * cos - b * sin, a * sin + b * cos], -1).reshape(length, heads, width)

    def log_probabilities(self, ids):
        length, width = len(ids), self.dim // self.heads
        x = self.embedding[ids]
        hidden = np.triu(np.full((length, length), -np.inf), 1)
        for i in range(self.layers):
            h = self.normed(x, self.norm1[i])
            q = self.turned(h @ self.q[i].T, self.heads)
            k = self.turned(h @ self.k[i].T, self.kv_heads)
            v = (h @ self.v[i].T).reshape(length, self.kv_heads, width)
            k, v = (np.repeat(t, self.heads // self.kv_heads, 1) for t in (k, v))
            scores = np.einsum("thw,shw->hts", q, k) / math.sqrt(width) + hidden
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            weights /= weights.sum(-1, keepdims=True)
            x = x + np.einsum("hts,shw->thw", weights, v).reshape(length, -1) @ self.o[i].T
            h = self.normed(x, self.norm2[i])
            g = h @ self.gate[i].T
            x = x + (g / (1 + np.exp(-g)) * (h @ self.up[i].T)) @ self.down[i].T
        logits = self.normed(x, self.norm) @ self.embedding.T
        logits -= logits.max(-1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


class Tokenizer:
    def __init__(self, path):
        raw = open(path, "rb").read()
        at, self.ids, self.pieces, self.scores = 4, {}, [], []
        while at < len(raw):
            score, length = struct.unpack("fi", raw[at:at + 8])
            piece = raw[at + 8:at + 8 + length]
            self.ids.setdefault(piece, len(self.pieces))
            self.pieces.append(piece)
            self.scores.append(score)
            at += 8 + length

    def encode(self, text):
        ids = [self.ids[b" "]] if text else []
        for letter in text:
            letter = letter.encode()
            ids += [self.ids[letter]] if letter in self.ids else [b + 3 for b in letter]
        while True:
            pairs = [(self.scores[self.ids[self.pieces[a] + self.pieces[b]]], -i)
                     for i, (a, b) in enumerate(zip(ids, ids[1:]))
                     if self.pieces[a] + self.pieces[b] in self.ids]
            if not pairs:
                return ids
            i = -max(pairs)[1]
            ids[i:i + 2] = [self.ids[self.pieces[ids[i]] + self.pieces[ids[i + 1]]]]


class Harness:
    def __init__(self, data):
        self.data = data
        self.model = Model(f"{data}/stories260k/stories260K.bin")
        self.tokenizer = Tokenizer(f"{data}/stories260k/tok512.bin")

    def score_tokens(self, context, continuation):
        ids = (context + continuation)[-(self.model.context + 1):]
        table = self.model.log_probabilities(ids[:-1])[-len(continuation):]
        return sum(table[i, token] for i, token in enumerate(continuation))

    def loglikelihood(self, context, continuation):
        if context == "":
            return self.score_tokens([BOS], self.tokenizer.encode(continuation))
        spaces = len(context) - len(context.rstrip())
        if spaces > 0:
            continuation = context[-spaces:] + continuation
            context = context[:-spaces]
        whole = self.tokenizer.encode(context + continuation)
        head = self.tokenizer.encode(context)
        return self.score_tokens(head, whole[len(head):])

    def rolling(self, text):
        ids, size, total, done = self.tokenizer.encode(text), self.model.context, 0.0, 0
        while done < len(ids):
            count = min(len(ids) - done, size)
            end = done + count
            inputs = [BOS] + ids[:end - 1] if done == 0 else ids[end - size - 1:end - 1]
            wanted = ids[done:end]
            total += self.score_tokens(inputs[:len(inputs) - len(wanted) + 1], wanted)
            done = end
        return total

    def lines(self, name):
        return [json.loads(line) for line in open(f"{self.data}/{name}", encoding="utf-8")]


def question(context, answers, gold):
    return [(context, " " + a, a) for a in answers], gold


def piqa(h):
    labels = open(f"{h.data}/piqa/valid_first919-labels.lst").read().split()
    for row, label in zip(h.lines("piqa/valid_first919.jsonl"), labels):
        yield question(f"Question: {row['goal']}\nAnswer:", [row["sol1"], row["sol2"]], int(label))


def hellaswag(h):
    def clean(text):
        text = text.strip().replace(" [title]", ". ")
        return re.sub(r"\[.*?\]", "", text).replace("  ", " ")
    for row in h.lines("hellaswag/val_mod10_0.jsonl"):
        yield question(clean(row["ctx"]), [clean(e) for e in row["endings"]], int(row["label"]))


def winogrande(h):
    for row in h.lines("winogrande/dev_first633.jsonl"):
        at = row["sentence"].index("_")
        rest = " " + row["sentence"][at + 1:].strip()
        contexts = [row["sentence"][:at] + row[name] for name in ("option1", "option2")]
        yield [(c, rest, c) for c in contexts], int(row["answer"]) - 1


def arc(h):
    for row in h.lines("arc/ARC-Challenge-Dev.jsonl"):
        choices = row["question"]["choices"]
        yield question(f"Question: {row['question']['stem']}\nAnswer:",
                       [c["text"] for c in choices],
                       [c["label"] for c in choices].index(row["answerKey"]))


def boolq(h):
    for row in h.lines("boolq/dev_first1635.jsonl"):
        yield question(f"{row['passage']}\nQuestion: {row['question']}?\nAnswer:", ["no", "yes"],
                       int(row["answer"]))


def sentiment(h):
    labels = ["negative", "neutral", "positive"]
    with open(f"{h.data}/tfns/tfns_test_even.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            prompt = ("Instruction: What is the sentiment of this tweet? Please choose an answer "
                      "from {negative/neutral/positive}.\nInput: " + row["text"] + "\nAnswer: ")
            yield [(prompt, x, x) for x in labels], [0, 2, 1][int(row["label"])]


def wikitext(h):
    def detokenised(text):
        text = text.replace("s '", "s'")
        for a, b in ((" @-@ ", "-"), (" @,@ ", ","), (" @.@ ", "."), (" : ", ": "), (" ; ", "; "),
                     (" . ", ". "), (" ! ", "! "), (" ? ", "? "), (" , ", ", ")):
            text = text.replace(a, b)
        text = re.sub(r"\(\s*([^\)]*?)\s*\)", r"(\1)", text)
        text = re.sub(r"\[\s*([^\]]*?)\s*\]", r"[\1]", text)
        text = re.sub(r"{\s*([^}]*?)\s*}", r"{\1}", text)
        text = re.sub(r"\"\s*([^\"]*?)\s*\"", r'"\1"', text)
        text = re.sub(r"'\s*([^']*?)\s*'", r"'\1'", text)
        for a, b in (("= = = =", "===="), ("= = =", "==="), ("= =", "=="), (" \u00b0 ", "\u00b0"),
                     (" \n", "\n"), ("\n ", "\n"), (" N ", " 1 "), (" 's", "'s")):
            text = text.replace(a, b)
        return text
    pages, page = [], []
    for line in open(f"{h.data}/wikitext2/wiki.valid.tokens", encoding="utf-8").read().split("\n"):
        flat = line.replace("= = =", "===").replace("= =", "==").strip()
        if flat.startswith("= ") and flat.endswith(" ="):
            pages, page = pages + ["\n".join(page)] * bool("\n".join(page).strip()), []
        page.append(line)
    pages.append("\n".join(page))
    nll, words, size = 0.0, 0, 0
    for text in pages[:2]:
        nll -= h.rolling(detokenised(text))
        words += len(re.split(r"\s+", text))
        size += len(text.encode())
    return {"nll": round(float(nll), 4), "words": words, "bytes": size}


def main():
    h = Harness(sys.argv[1])
    print("wikitext", wikitext(h))
    for task in (piqa, hellaswag, winogrande, arc, boolq, sentiment):
        right, right_norm, total = 0, 0, 0.0
        for index, (choices, gold) in enumerate(task(h)):
            if index == ITEMS:
                break
            scores = np.array([h.loglikelihood(c, a) for c, a, _ in choices])
            lengths = np.array([float(len(text)) for _, _, text in choices])
            right += int(np.argmax(scores) == gold)
            right_norm += int(np.argmax(scores / lengths) == gold)
            total += scores.sum()
        print(f"{task.__name__}: acc {right / ITEMS} acc_norm {right_norm / ITEMS} "
              f"sum {total:.4f}", flush=True)


if __name__ == "__main__":
    main()
