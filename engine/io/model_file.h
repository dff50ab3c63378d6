// A model in a file, whatever its format: its shape, and its weights under the names of
// Transformer::parameters(). The file is mapped, not read; a weight costs memory when it is asked
// for.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/io/gguf.h"
#include "engine/io/model_names.h"
#include "engine/io/model_tensor.h"
#include "engine/nn/linear_plan.h"
#include "engine/nn/model_config.h"

namespace lathe {

enum class ModelFormat : std::uint8_t { kGguf, kHuggingFace, kCheckpoint };
std::string_view model_format_name(ModelFormat format);  // "gguf", "hf", "checkpoint"

// A slot as two factors in memory: its plan (kLowRank), A [rank, in], B [out, rank], bias [out] or
// empty.
struct FactoredSlot {
  LinearPlan plan;
  std::vector<float> a, b, bias;
};

// A matrix in memory, in a type as files store it.
struct StoredValues {
  StoredType type = StoredType::kF32;
  std::vector<std::byte> bytes;
};

struct StoredAdapter;  // engine/io/adapter_merge.h

class ModelFile {
 public:
  // A .gguf file, or a folder with config.json. kData, naming the file and what is wrong with it.
  static Result<ModelFile> open(const std::filesystem::path& path);

  // The folder of a checkpoint of ours, which does not tell its shape itself. kData also where the
  // tensors are not those of the model. Factors A, B of a low-rank slot are two tensors. Adapters
  // are added to what they stand beside, and weights that were read through palettes become their
  // nearest centroids, so that plans() has none of the two. kUsage where that is two factors
  // with a nonlinearity between them. `base` has the weights that the run used as it stores them,
  // which are not in the checkpoint; null where there are none.
  static Result<ModelFile> open_checkpoint(const std::filesystem::path& folder,
                                           const ModelConfig& model,
                                           const std::vector<LinearPlan>& plans,
                                           const ModelFile* base = nullptr);

  // `base` with these of its dense slots as factors. Precondition: the plans name slots of it.
  static ModelFile with_factors(const ModelFile& base, std::vector<FactoredSlot> slots);

  // `base` with these of its weights, by name, in other types.
  static ModelFile with_stored(const ModelFile& base, std::map<std::string, StoredValues> weights);

  // `base` with these adapters of its slots added to what they stand beside. kUsage as
  // open_checkpoint(). Precondition: they name slots of it and are of their shapes.
  static Result<ModelFile> with_adapters(const ModelFile& base,
                                         const std::vector<StoredAdapter>& adapters);

  const std::filesystem::path& path() const { return path_; }
  ModelFormat format() const { return format_; }
  // Rotary pairs are halves, whatever the file has: its tensors turn to them.
  const ModelConfig& config() const { return config_; }
  // The linear slots as they are stored: dense, or two factors.
  const std::vector<LinearPlan>& plans() const { return plans_; }
  // "llama", "gpt2" ...: as the file names its architecture.
  const std::string& architecture() const { return architecture_; }
  // In the order of Transformer::parameters().
  const std::vector<ModelTensor>& tensors() const { return tensors_; }
  // nullptr if there is none of that name.
  const ModelTensor* find(const std::string& name) const;
  // A weight's values. Precondition: there is one of that name.
  std::vector<float> floats(const std::string& name) const;

  // Elements and bytes of all weights; the type that most of the bytes have.
  std::int64_t parameters() const;
  std::int64_t stored_bytes() const;
  StoredType main_type() const;

  // Keeps the mapping of the tensors' bytes alive.
  std::shared_ptr<const void> keeper() const { return keeper_; }
  // The file itself where it is GGUF, with the keys of its tokenizer; else nullptr.
  const GgufFile* gguf() const { return gguf_; }

 private:
  ModelFile() = default;
  // `base` with other slots and with some weights in memory, by name; `config` may have biases that
  // it lacks.
  static ModelFile with_values(const ModelFile& base, const ModelConfig& config,
                               std::vector<LinearPlan> plans,
                               std::map<std::string, std::vector<float>> values);
  static Result<ModelFile> open_gguf(const std::filesystem::path& path);
  static Result<ModelFile> open_folder(const std::filesystem::path& path);
  // Gives the weights of the slots their bytes; refuses what is missing, misshapen or left over.
  Result<void> fill(NameScheme scheme, const std::map<std::string, StoredTensor>& stored);

  std::filesystem::path path_;
  ModelFormat format_ = ModelFormat::kGguf;
  ModelConfig config_;
  std::vector<LinearPlan> plans_;
  std::string architecture_;
  std::vector<ModelTensor> tensors_;
  std::shared_ptr<const void> keeper_;
  const GgufFile* gguf_ = nullptr;
};

}  // namespace lathe
