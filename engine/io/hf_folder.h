// A model folder as Hugging Face's transformers keeps it: config.json, and the weights in one
// safetensors file or in shards that model.safetensors.index.json lists. Nothing in it is trusted.
// Matrices of bitsandbytes (bitsandbytes.h) are read as nf4, nf4_dq and int8_row.
// Beside what transformers knows, config.json may tell of matrices in other block types:
//   "stored_types": {"model.layers.3.mlp.down_proj.weight": "int4_g64"}
// which are then tensors of U8, a row of blocks to a row [out, bytes]; those of a type with tables
// are one row of bytes, whose shape stands beside the type:
//   "stored_types": {"model.layers.3.mlp.down_proj.weight": {"type": "spqr3", "shape": [576,
//   1536]}}
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "engine/io/bitsandbytes.h"
#include "engine/io/model_tensor.h"
#include "engine/io/safetensors.h"
#include "engine/nn/model_config.h"

namespace lathe {

// What config.json says of a matrix.
struct StoredForm {
  StoredType type = StoredType::kF32;
  std::vector<std::int64_t> shape;  // of a type with tables
};

class HfFolder {
 public:
  // kData, naming the file and what is wrong with it.
  static Result<HfFolder> open(const std::filesystem::path& folder);

  const Json& config() const { return config_; }
  const std::map<std::string, StoredTensor>& tensors() const { return tensors_; }

 private:
  Result<void> add_shard(const std::filesystem::path& path,
                         std::map<std::string, FoundTensor>& found);
  Result<void> add_tensors(std::map<std::string, FoundTensor>& found);

  Json config_;
  std::map<std::string, StoredForm> stored_forms_;
  std::vector<SafetensorsFile> shards_;
  std::map<std::string, BitsandbytesMatrix> made_;
  std::map<std::string, StoredTensor> tensors_;
};

// The stored type of a safetensors dtype; kData for those that hold no weights here.
Result<StoredType> stored_type_of_safetensors(const std::string& dtype, const std::string& name);

// "stored_types" of config.json: by tensor, the types that safetensors has no name for. kData.
Result<std::map<std::string, StoredForm>> stored_forms_of(const Json& config);

// The shape that config.json tells. kData for an architecture or an option that is not computed
// here: it is named.
Result<ModelConfig> model_config_of(const Json& config, const std::string& origin);

}  // namespace lathe
