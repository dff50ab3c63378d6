"""Writes pre_tokenizers.json: the words into which the tokenizers library cuts texts, by the rules that
the published tokenizer.json of each family spells out; they are named as GGUF files name them.

    pip install tokenizers==0.23.3 && python make_pre_tokenizers.py > pre_tokenizers.json
"""

import json

from tokenizers import Regex
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence, Split

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK_CODER = ["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-\ud7ff]+"]


def isolated(pattern):
    return Split(Regex(pattern), "isolated")


def digits_then_gpt2():
    return Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)])


RULES = {
    "gpt-2": ByteLevel(add_prefix_space=False),
    "smollm": digits_then_gpt2(),
    "starcoder": digits_then_gpt2(),
    "llama-bpe": Sequence([isolated(LLAMA3), ByteLevel(add_prefix_space=False, use_regex=False)]),
    "deepseek-coder": Sequence([*map(isolated, DEEPSEEK_CODER), Digits(individual_digits=True),
                                ByteLevel(add_prefix_space=False, use_regex=False)]),
}

TEXTS = [
    "",
    "Hello world",
    "  two  spaces   three ",
    # digits: of many scripts, and numbers that are none (Nl, No)
    "1 12 123 1234 12345678 3.14e-10 0x1F 1,000,000",
    "a1b22c333d4444 v2.0.1",
    "\u0661\u0662\u0663\u0664 \u0967\u0968\u0969 \uff11\uff12\uff13\uff14 \U0001d7d8\U0001d7d9",
    "\u00bd \u00b2\u00b3 \u2167\u2168 \u2460\u2461 \u3007 \u5341\u4e8c x\u00b2 5\u00bd",
    # contractions
    "I'm you're he's we've they'll I'd don't o'clock 'tis",
    "I'M YOU'RE HE'S WE'VE THEY'LL I'D DON'T 'S'T'RE'VE'M'LL'D",
    "We'Ve a'lL 'sound 'Red it\u2019s ''s '' 's's x'\u017f",
    # scripts
    "\u6f22\u5b57\u304b\u306a\u30ab\u30ca\uff0c\u5168\u89d2\u3002\u6211\u60f3\u5728apple\u5de5\u4f5c"
    "1314151\u5929\uff5e",
    "\ud55c\uad6d\uc5b4 \u1112\u1161\u11ab \u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! "
    "\u0633\u0644\u0627\u0645 \u05e9\u05dc\u05d5\u05dd \u0395\u03bb\u03bb",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0e44\u0e17\u0e22 \u1780\u17b6\u1793\u17cb \u01c5\u02b0\u00aa\u00ba",
    "\U00020000\U0002a6d6 \U00010400\U00010428 \U0001e900",
    # emoji: joined, with skin, flags, keycaps
    "\U0001f600\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f44b\U0001f3fd \U0001f1e9\U0001f1ea "
    "1\ufe0f\u20e3 \u2705 \u2764\ufe0f",
    # combining marks, which are no letters
    "e\u0301 n\u0303o cafe\u0301s \u0301 a\u0300\u0316b \u1e9b\u0323 Z\u0351\u036b\u0343",
    # white space: runs, line ends of all kinds
    "\t\ttabs\t \tand\t", "a\nb\n\nc\n\n\nd\r\ne\r\n\r\nf\rg\n \n  \n", "\n", "\n\n \n\n\n \t \t\t \t\n  \n   ",
    "def f(x):\n\treturn x**2 != y // 3  # note\n\n\n    if x:\r\n        pass\n",
    "end   ", " \n", "x \n y", "...\n\n!\r\n?", "\x0b\x0c \x0b\x0ca\x0b", "\x1c\x1d\x1e\x1f a\x1fb",
    # spaces of Unicode, and characters that look like some (U+180E, U+200B, U+2060, U+FEFF)
    "a\u00a0b \u00a0c\u00a0 d\u00a0\u00a0e", "\u1680a\u2000\u2001b\u2002 c\u2009d\u200ae\u202ff\u205fg\u3000h",
    "a\u0085b\u2028c\u2029d \u2028\u2029 \u0085\n",
    "a\u180eb !\u180e! \u180e\u180e c\u180e", "a\u200bb\u200c\u200d\u2060c\ufeffd \ufeff",
    # control characters and NUL
    "\x00", "a\x00b \x00\x00 c\x00", "\x01\x02 \x7f\x80\x9f x\x1b[0m\x08", "\x00\n\x00 1\x002",
    # signs and code
    "_a __b__ a_b $x @y #z `q` ~|^ <html>&amp;</html> {\"k\": [1, 2]} ;;; ---===... ,,,",
    "\u00ab\u00bb \u201cq\u201d \u20ac5 \u00a37 +-*/ \u2211\u222b \u00a9\u00ae\u2122 \u3001\u300c\u300d",
    "https://example.org/?q=a_b-c%20d (x) (y)z 'k': \"v\"",
    # private, unassigned, noncharacters
    "\ue000\uf8ff \U000f0000 \U0010ffff \ufffe \u0378 \ufffd",
]

# The bytes of ByteLevel's characters.
PRINTABLE = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
OTHERS = [byte for byte in range(256) if byte not in PRINTABLE]
BYTES = {chr(byte): byte for byte in PRINTABLE} | {chr(256 + i): byte for i, byte in enumerate(OTHERS)}


def words(rule, text):
    cut = [bytes(BYTES[symbol] for symbol in word).decode("utf-8")
           for word, _ in rule.pre_tokenize_str(text)]
    assert "".join(cut) == text
    return cut


def main():
    # A line for each text, that a difference can be seen.
    print("{")
    for name, rule in RULES.items():
        print(f'"{name}": [')
        print(",\n".join(json.dumps(words(rule, text)) for text in TEXTS))
        print("]," if name != list(RULES)[-1] else "]")
    print("}")


if __name__ == "__main__":
    main()
