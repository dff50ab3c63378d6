// Opening models of every format.
#include "engine/io/model_file.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <set>

#include "engine/io/adapter_merge.h"
#include "engine/io/factored_slots.h"
#include "engine/io/gguf_config.h"
#include "engine/io/hf_folder.h"
#include "engine/io/palette_merge.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

Error unusable(const fs::path& path, const std::string& what) {
  return {ErrorKind::kData, path.string() + ": " + what,
          "the file is damaged or of another model than it says; use another one"};
}

NameScheme scheme_of_hf(const std::string& architecture) {
  if (architecture.ends_with("GPT2LMHeadModel")) {
    return NameScheme::kHfGpt2;
  }
  if (architecture == "ViTForImageClassification") {
    return NameScheme::kHfVit;
  }
  return architecture.ends_with("GPTBigCodeForCausalLM") ? NameScheme::kHfBigCode
                                                         : NameScheme::kHfLlama;
}

// GPT-2 checkpoints leave out the leading "transformer." as often as not.
std::map<std::string, StoredTensor> with_full_names(
    const std::map<std::string, StoredTensor>& stored) {
  constexpr std::string_view kRoot = "transformer.";
  std::map<std::string, StoredTensor> full;
  for (const auto& [name, tensor] : stored) {
    const bool whole = name.starts_with(kRoot) || name.starts_with("lm_head.");
    full.emplace(whole ? name : std::string(kRoot) + name, tensor);
  }
  return full;
}

// A ViT's patches are a convolution's [out, channels, height, width], which lie as a matrix of
// their first extent does; its positions and class token are batches of one.
std::map<std::string, StoredTensor> with_matrices(std::map<std::string, StoredTensor> stored) {
  constexpr std::int64_t kMostExtent = 1 << 20;  // three of them do not overflow
  for (auto& [name, tensor] : stored) {
    std::vector<std::int64_t>& shape = tensor.shape;
    const bool sound = std::all_of(shape.begin(), shape.end(), [](std::int64_t extent) {
      return extent > 0 && extent <= kMostExtent;
    });
    if (sound && shape.size() == 4) {
      shape = {shape[0], shape[1] * shape[2] * shape[3]};
    } else if (shape.size() == 3 && shape[0] == 1) {
      shape.erase(shape.begin());
    }
  }
  return stored;
}

// The tensors as the scheme names them.
std::map<std::string, StoredTensor> tensors_of(const HfFolder& folder, NameScheme scheme) {
  if (scheme == NameScheme::kHfVit) {
    return with_matrices(folder.tensors());
  }
  return scheme == NameScheme::kHfLlama ? folder.tensors() : with_full_names(folder.tensors());
}

}  // namespace

std::string_view model_format_name(ModelFormat format) {
  constexpr std::array<std::string_view, 3> kNames{"gguf", "hf", "checkpoint"};
  return kNames[static_cast<std::size_t>(format)];
}

Result<ModelFile> ModelFile::open(const fs::path& path) {
  std::error_code failed;
  if (fs::is_directory(path, failed)) {
    return open_folder(path);
  }
  return open_gguf(path);
}

Result<void> ModelFile::fill(NameScheme scheme, const std::map<std::string, StoredTensor>& stored) {
  std::set<std::string> used;
  // A made-up number of layers must not be listed at length before it is seen to be made up.
  if (static_cast<std::uint64_t>(config_.layers) > stored.size()) {
    return unusable(path_, std::to_string(config_.layers) + " layers are claimed, but there are " +
                               std::to_string(stored.size()) + " tensors");
  }
  for (NamedWeight& weight : slot_weights(config_, scheme, plans_)) {
    const auto found = stored.find(weight.stored_name);
    if (found == stored.end()) {
      return unusable(path_, "tensor " + weight.stored_name + " is missing");
    }
    used.insert(weight.stored_name);
    weight.tensor.stored = found->second;
    const std::string wrong = tensor_error(weight.tensor);
    if (!wrong.empty()) {
      return unusable(path_, "tensor " + weight.stored_name + " " + wrong);
    }
    tensors_.push_back(std::move(weight.tensor));
  }
  for (const auto& [name, tensor] : stored) {
    if (!used.contains(name) && !may_be_ignored(name, config_)) {
      return unusable(path_, "tensor " + name + " has no place in a model of this architecture");
    }
  }
  return {};
}

Result<ModelFile> ModelFile::open_gguf(const fs::path& path) {
  auto opened = GgufFile::open(path);
  if (!opened) {
    return opened.error();
  }
  const auto file = std::make_shared<const GgufFile>(std::move(*opened));
  const auto config = model_config_of(*file, path.string());
  if (!config) {
    return config.error();
  }
  ModelFile model;
  model.path_ = path;
  model.format_ = ModelFormat::kGguf;
  model.config_ = *config;
  model.plans_ = dense_plan(*config);
  model.architecture_ = *file->get<std::string>("general.architecture");
  model.keeper_ = file;
  model.gguf_ = file.get();
  std::map<std::string, StoredTensor> stored;
  for (const GgufTensor& tensor : file->tensors()) {
    const auto type = stored_type_of_ggml(tensor.ggml_type);
    if (!type) {
      return unusable(path, "tensor " + tensor.name + " is of ggml's type " +
                                std::to_string(tensor.ggml_type) + ", which is not read");
    }
    stored[tensor.name] = {
        .type = *type, .shape = tensor.shape, .bytes = file->data(tensor), .mapped = true};
  }
  const Result<void> filled = model.fill(
      model.architecture_ == "llama" ? NameScheme::kGgufLlama : NameScheme::kGgufGpt2, stored);
  if (!filled) {
    return filled.error();
  }
  return model;
}

Result<ModelFile> ModelFile::open_folder(const fs::path& path) {
  auto opened = HfFolder::open(path);
  if (!opened) {
    return opened.error();
  }
  const auto folder = std::make_shared<const HfFolder>(std::move(*opened));
  const auto config = model_config_of(folder->config(), (path / "config.json").string());
  if (!config) {
    return config.error();
  }
  ModelFile model;
  model.path_ = path;
  model.format_ = ModelFormat::kHuggingFace;
  model.config_ = *config;
  const auto architecture = folder->config()["architectures"].front().get<std::string>();
  const auto kind = folder->config().find("model_type");
  model.architecture_ =
      kind != folder->config().end() && kind->is_string() ? kind->get<std::string>() : architecture;
  model.keeper_ = folder;
  const NameScheme scheme = scheme_of_hf(architecture);
  auto plans = factored_plan(folder->config(), *config, scheme, (path / "config.json").string());
  if (!plans) {
    return plans.error();
  }
  model.plans_ = std::move(*plans);
  const Result<void> filled = model.fill(scheme, tensors_of(*folder, scheme));
  if (!filled) {
    return filled.error();
  }
  return model;
}

Result<ModelFile> ModelFile::open_checkpoint(const fs::path& folder, const ModelConfig& config,
                                             const std::vector<LinearPlan>& plans,
                                             const ModelFile* base) {
  auto opened = SafetensorsFile::open(folder / "weights.safetensors");
  if (!opened) {
    return opened.error();
  }
  struct Kept {
    SafetensorsFile file;
    std::shared_ptr<const void> base;
  };
  const auto kept = std::make_shared<const Kept>(
      Kept{std::move(*opened), base != nullptr ? base->keeper_ : nullptr});
  const SafetensorsFile* const file = &kept->file;
  ModelFile model;
  model.path_ = folder;
  model.format_ = ModelFormat::kCheckpoint;
  model.config_ = config;
  model.architecture_ = "lathe";
  model.keeper_ = kept;
  model.plans_ = without_palettes(without_adapters(plans));
  std::size_t not_here = 0;
  // By their own names; llama's scheme keeps every slot apart and turns none.
  for (NamedWeight& weight : slot_weights(config, NameScheme::kHfLlama, model.plans_)) {
    ModelTensor& tensor = weight.tensor;
    const SafetensorsEntry* entry = file->find(tensor.name);
    const ModelTensor* given = base != nullptr ? base->find(tensor.name) : nullptr;
    if (entry == nullptr && given != nullptr && given->shape == tensor.shape) {
      model.tensors_.push_back(*given);
      ++not_here;
      continue;
    }
    const bool rounded = entry != nullptr && entry->dtype == "BF16";
    if (entry == nullptr || !(rounded || entry->dtype == "F32") || entry->shape != tensor.shape) {
      return unusable(folder, "there is no " + tensor.name + " of its shape in F32 or BF16");
    }
    tensor.stored = {.type = rounded ? StoredType::kBf16 : StoredType::kF32,
                     .shape = entry->shape,
                     .bytes = file->bytes(*entry),
                     .mapped = true};
    model.tensors_.push_back(std::move(tensor));
  }
  auto adapters = read_adapters(*file, folder, plans);
  if (!adapters) {
    return adapters.error();
  }
  const std::size_t beside = std::accumulate(
      plans.begin(), plans.end(), std::size_t{0}, [](std::size_t sum, const LinearPlan& plan) {
        return sum + tensors_of(plan.adapter) + palette_tensors(plan);
      });
  if (file->entries().size() != model.tensors_.size() - not_here + beside) {
    return unusable(folder, "it holds other tensors than its run's model has");
  }
  auto palettes = stored_palettes(*file, folder, model, plans);
  if (!palettes) {
    return palettes.error();
  }
  if (!palettes->empty()) {
    model = with_stored(model, std::move(*palettes));
  }
  return adapters->empty() ? Result<ModelFile>(std::move(model)) : with_adapters(model, *adapters);
}

Result<ModelFile> ModelFile::with_adapters(const ModelFile& base,
                                           const std::vector<StoredAdapter>& adapters) {
  std::vector<LinearPlan> merged = base.plans_;
  ModelConfig config = base.config_;
  auto values = merged_values(base, adapters, merged, config);
  return values
             ? Result<ModelFile>(with_values(base, config, std::move(merged), std::move(*values)))
             : values.error();
}

ModelFile ModelFile::with_factors(const ModelFile& base, std::vector<FactoredSlot> slots) {
  std::vector<LinearPlan> plans = base.plans_;
  std::map<std::string, std::vector<float>> values;
  for (FactoredSlot& slot : slots) {
    const auto plan = std::find_if(plans.begin(), plans.end(), [&](const LinearPlan& known) {
      return known.name == slot.plan.name;
    });
    CHECK(plan != plans.end(), "factors are of a slot that the model has");
    *plan = slot.plan;
    values[slot.plan.name + ".a"] = std::move(slot.a);
    values[slot.plan.name + ".b"] = std::move(slot.b);
    values[slot.plan.name + ".bias"] = std::move(slot.bias);
  }
  return with_values(base, base.config_, std::move(plans), std::move(values));
}

ModelFile ModelFile::with_values(const ModelFile& base, const ModelConfig& config,
                                 std::vector<LinearPlan> plans,
                                 std::map<std::string, std::vector<float>> values) {
  struct Kept {
    std::shared_ptr<const void> base;
    std::map<std::string, std::vector<float>> values;
  };
  const auto kept = std::make_shared<const Kept>(Kept{base.keeper_, std::move(values)});
  ModelFile model = base;
  model.keeper_ = kept;
  model.config_ = config;
  model.plans_ = std::move(plans);
  model.tensors_.clear();
  for (NamedWeight& weight : slot_weights(config, NameScheme::kHfLlama, model.plans_)) {
    ModelTensor& tensor = weight.tensor;
    if (const auto given = kept->values.find(tensor.name); given != kept->values.end()) {
      tensor.stored = {.type = StoredType::kF32,
                       .shape = tensor.shape,
                       .bytes = std::as_bytes(std::span<const float>(given->second))};
    } else {
      const ModelTensor* there = base.find(tensor.name);
      CHECK(there != nullptr, "what has no values of its own is in the base");
      tensor = *there;
    }
    model.tensors_.push_back(std::move(tensor));
  }
  return model;
}

ModelFile ModelFile::with_stored(const ModelFile& base,
                                 std::map<std::string, StoredValues> weights) {
  struct Kept {
    std::shared_ptr<const void> base;
    std::map<std::string, StoredValues> weights;
  };
  const auto kept = std::make_shared<const Kept>(Kept{base.keeper_, std::move(weights)});
  ModelFile model = base;
  model.keeper_ = kept;
  for (ModelTensor& tensor : model.tensors_) {
    if (const auto other = kept->weights.find(tensor.name); other != kept->weights.end()) {
      tensor = {
          .name = tensor.name,
          .shape = tensor.shape,
          .stored = {
              .type = other->second.type, .shape = tensor.shape, .bytes = other->second.bytes}};
    }
  }
  return model;
}

const ModelTensor* ModelFile::find(const std::string& name) const {
  const auto found = std::find_if(tensors_.begin(), tensors_.end(),
                                  [&](const ModelTensor& tensor) { return tensor.name == name; });
  return found == tensors_.end() ? nullptr : &*found;
}

std::vector<float> ModelFile::floats(const std::string& name) const {
  const ModelTensor* tensor = find(name);
  CHECK(tensor != nullptr, "a model file has the weights of its config");
  std::vector<float> values(static_cast<std::size_t>(tensor->elements()));
  read_tensor(*tensor, values.data());
  return values;
}

std::int64_t ModelFile::parameters() const {
  std::int64_t sum = 0;
  for (const ModelTensor& tensor : tensors_) {
    sum += tensor.elements();
  }
  return sum;
}

std::int64_t ModelFile::stored_bytes() const {
  std::int64_t sum = 0;
  for (const ModelTensor& tensor : tensors_) {
    sum += tensor.stored_bytes();
  }
  return sum;
}

StoredType ModelFile::main_type() const {
  std::array<std::int64_t, kStoredTypeCount> bytes{};
  for (const ModelTensor& tensor : tensors_) {
    bytes[static_cast<std::size_t>(tensor.stored.type)] += tensor.stored_bytes();
  }
  return static_cast<StoredType>(std::max_element(bytes.begin(), bytes.end()) - bytes.begin());
}

}  // namespace lathe
