// Adapters as PEFT, the library of Hugging Face, keeps them: a folder with adapter_config.json and
// adapter_model.safetensors, whose tensors are named after the modules of transformers,
//   base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight [r, in], .lora_B.weight [out, r]
// Rows of q and k are in the order of transformers, which is that of ModelFile. Nothing in such a
// folder is trusted.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/io/adapter_merge.h"
#include "engine/io/model_file.h"

namespace lathe {

struct PeftConfig {
  std::string base;  // base_model_name_or_path
  std::int64_t rank = 0;
  double scale = 0;                  // lora_alpha / rank, or / sqrt(rank) where use_rslora says so
  std::vector<std::string> targets;  // modules that all layers have one for; empty: not told
};

// Whether a folder says that it is one.
bool is_peft_adapter(const std::filesystem::path& folder);

// kData, naming the file: not JSON, a key that is missing or out of range, or a form of adapter
// that is not y += s B A x beside the base's own weights.
Result<PeftConfig> read_peft_config(const std::filesystem::path& folder);

struct PeftAdapter {
  std::vector<StoredAdapter> slots;
  std::string base_hash;  // of the base that it was made for, where the file tells; else empty
};

// The matrices, for `base`. kData, naming tensor, shape and what the base has, where one is
// missing, cut, of another shape or type, not finite or of no slot of the base. kUsage where PEFT
// does not know the base's slots.
Result<PeftAdapter> read_peft_adapter(const std::filesystem::path& folder, const PeftConfig& config,
                                      const ModelFile& base);

// What an adapter says of itself beside its matrices.
struct PeftOrigin {
  std::string base;
  std::string base_hash;
  double dropout = 0;
};

// Writes both files; tells the bytes of the matrices. All slots have one rank and scale. kDisk;
// kUsage as above.
Result<std::int64_t> write_peft_adapter(const std::filesystem::path& folder, const ModelFile& base,
                                        const std::vector<StoredAdapter>& slots,
                                        const PeftOrigin& origin);

}  // namespace lathe
