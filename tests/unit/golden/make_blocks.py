"""Writes blocks.json: stored blocks of random bytes with the floats that the gguf package gives for them,
and rows of floats with the bytes that it stores for them.

    pip install gguf==0.19.0 && python make_blocks.py > blocks.json
"""

import json

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGML_QUANT_SIZES, quants

DECODED = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K", "BF16"]
ENCODED = ["Q8_0", "Q4_0", "Q4_1", "BF16"]
# Where halves (scales) stand in a block: random bits would give infinities.
HALVES = {"Q4_1": [0, 2], "Q5_1": [0, 2], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}


def main():
    random = np.random.default_rng(7)
    out = {"decoded": {}, "encoded": {}}
    for name in DECODED:
        elements, size = GGML_QUANT_SIZES[Type[name]]
        count = max(2, 32 // elements)
        data = random.integers(0, 256, (count, size), dtype=np.uint8)
        for offset in HALVES.get(name, [0] if name != "BF16" else []):
            scales = random.normal(0, 0.05, count).astype(np.float16)
            data[:, offset : offset + 2] = scales.view(np.uint8).reshape(count, 2)
        if name == "BF16":
            data = (random.normal(0, 1, count).astype(np.float32).view(np.uint32) >> 16).astype(
                np.uint16).view(np.uint8).reshape(count, 2)
        values = quants.dequantize(data, Type[name]).astype(np.float32).ravel()
        out["decoded"][name.lower()] = {"bytes": data.tobytes().hex(), "values": values.tolist()}
    for name in ENCODED:
        row = (random.standard_normal(64) * 0.3).astype(np.float32)
        row[40] = 0.0
        stored = quants.quantize(row, Type[name])
        out["encoded"][name.lower()] = {"values": row.tolist(), "bytes": stored.tobytes().hex()}
    print(json.dumps(out, separators=(",", ":")))


if __name__ == "__main__":
    main()
