// Matrices as bitsandbytes keeps them in safetensors, which transformers loads: NF4, quantised once
// or twice (QLoRA, arXiv 2305.14314), and the rows of LLM.int8 (arXiv 2208.07339). Beside a matrix
// X.weight of codes lie
//   nf4     X.weight.absmax, .quant_map, .quant_state.bitsandbytes__nf4 (JSON as bytes)
//   nf4_dq  the same, .absmax in codes, and .nested_absmax, .nested_quant_map
//   int8    X.SCB (the rows' greatest sizes), X.weight_format
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "engine/io/safetensors.h"
#include "engine/quant/stored_type.h"

namespace lathe {

// nf4, nf4_dq, int8_row.
bool is_of_bitsandbytes(StoredType type);

// A tensor of the file.
struct BitsandbytesPart {
  std::string name;
  std::string dtype;  // as safetensors spells it
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;
};

// What the file holds of a matrix [rows, cols] of such a type under the name "X.weight".
// `computes`: "float32", "float16" or "bfloat16", what a reader is to decode it to. Without bytes
// (a matrix not yet made) the parts have names and shapes alone.
std::vector<BitsandbytesPart> bitsandbytes_parts(const std::string& name, StoredType type,
                                                 std::int64_t rows, std::int64_t cols,
                                                 const std::string& computes,
                                                 std::span<const std::byte> matrix);

// quantization_config of config.json. `skipped`: linear layers that are not of the type.
Json bitsandbytes_config(StoredType type, const std::string& computes,
                         const std::vector<std::string>& skipped);

struct FoundTensor {
  SafetensorsEntry entry;
  std::span<const std::byte> bytes;
};

// A matrix of ours from what a file holds of it.
struct BitsandbytesMatrix {
  StoredType type = StoredType::kNf4;
  std::int64_t rows = 0, cols = 0;
  std::vector<std::byte> bytes;
};

// The matrices of a folder, by the name of their weight; `found` loses what they were made of.
// kData, naming tensor and value, for what is not read: FP4, other block sizes, rows that are not
// whole blocks, tables that are not those of the type.
Result<std::map<std::string, BitsandbytesMatrix>> take_bitsandbytes(
    std::map<std::string, FoundTensor>& found);

}  // namespace lathe
