// Opening models for use.
#include "engine/lm/language_model.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "engine/base/hash.h"
#include "engine/lm/adapter_model.h"
#include "engine/quant/stored_matrix.h"

namespace lathe {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kSampleBytes = 4096;
// Loads beside the packed kernels' own steps; files with an unpadded header lie at odd places.
constexpr std::uintptr_t kAlignment = 4;

Shape shape_of(const ModelTensor& tensor) {
  return tensor.shape.size() == 2 ? Shape{tensor.shape[0], tensor.shape[1]}
                                  : Shape{tensor.shape[0]};
}

bool stays_stored(const ModelTensor& tensor) {
  return is_packed(tensor.stored.type) && has_stored_rows(tensor);
}

// Whether the stored form can be used where it lies.
bool can_stay(const Backend& backend, const ModelTensor& tensor) {
  const std::span<const std::byte> view = stored_view(tensor);
  const bool aligned = reinterpret_cast<std::uintptr_t>(view.data()) % kAlignment == 0;
  return has_stored_rows(tensor) && !view.empty() && aligned && backend.reads_host_memory();
}

// Whether a weight that is given becomes floats all the same: where its rows have to be turned, and
// where rows are looked up that share tables.
bool becomes_floats(const ModelTensor& tensor, ParameterRole role) {
  return !has_stored_rows(tensor) ||
         (role == ParameterRole::kTable && has_tables(tensor.stored.type));
}

// The stored form: where it lies, if that can be; else a copy with its rows in order.
Tensor stored_tensor(Backend& backend, const ModelFile& file, const ModelTensor& tensor,
                     ParameterRole role, const Tag& tag) {
  const Shape shape = shape_of(tensor);
  if (becomes_floats(tensor, role)) {
    Tensor floats(backend.allocator(), DType::kF32, shape, tag);
    if (backend.computes()) {
      std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
      read_tensor(tensor, values.data());
      backend.write(floats, values.data(), floats.ref().bytes());
    }
    return floats;
  }
  const std::span<const std::byte> view = stored_view(tensor);
  const std::int64_t extra_bytes =
      extra_bytes_of(tensor.stored.type, shape.rows(), shape.cols(), tensor.stored.bytes.size());
  if (can_stay(backend, tensor)) {
    return {backend.allocator(), tensor.stored.type, shape,      tag,
            view.data(),         file.keeper(),      extra_bytes};
  }
  Tensor copy(backend.allocator(), tensor.stored.type, shape, tag, extra_bytes);
  if (!backend.computes()) {
    return copy;
  }
  if (!view.empty()) {
    backend.write(copy, view.data(), copy.ref().bytes());
    return copy;
  }
  std::vector<std::byte> rows(static_cast<std::size_t>(tensor.stored_bytes()));
  copy_stored_rows(tensor, rows.data());
  backend.write(copy, rows.data(), copy.ref().bytes());
  return copy;
}

}  // namespace

std::string architecture_text(const std::string& name, const ModelConfig& config) {
  std::string text = name;
  text.append(", ").append(std::to_string(config.layers));
  text.append(" layers, width ").append(std::to_string(config.dim));
  text.append(", ").append(std::to_string(config.heads)).append(" heads");
  if (config.kv_head_count() != config.heads) {
    text.append(" (").append(std::to_string(config.kv_head_count())).append(" kv)");
  }
  return text;
}

std::string model_hash(const ModelFile& file) {
  Sha256 digest;
  for (const ModelTensor& tensor : file.tensors()) {
    std::string head = tensor.name + " " + std::string(info_of(tensor.stored.type).name);
    for (const std::int64_t extent : tensor.shape) {
      head.append(" ").append(std::to_string(extent));
    }
    digest.update(head.data(), head.size());
    const std::span<const std::byte> bytes = tensor.stored.bytes;
    const std::size_t sample = std::min(kSampleBytes, bytes.size());
    for (const std::size_t at :
         {std::size_t{0}, (bytes.size() - sample) / 2, bytes.size() - sample}) {
      digest.update(bytes.data() + at, sample);
    }
  }
  return digest.hex();
}

Result<void> check_reads_text(const ModelFile& file) {
  if (!file.config().images()) {
    return {};
  }
  return Error{ErrorKind::kUsage,
               file.path().string() + " classifies images, and a model of text is wanted",
               "train it on images: lathe run vision model.from=" + file.path().string()};
}

std::vector<LinearPlan> stored_plan(const ModelFile& file) {
  std::vector<LinearPlan> plans = file.plans();
  for (LinearPlan& plan : plans) {
    const bool factored = plan.storage == LinearStorage::kLowRank;
    const ModelTensor* tensor = file.find(plan.name + (factored ? ".a" : ".weight"));
    plan.given = stays_stored(*tensor);
  }
  return plans;
}

bool has_int8_rows(const ModelFile& file) {
  const std::vector<LinearPlan>& slots = file.plans();
  return std::any_of(slots.begin(), slots.end(), [&](const LinearPlan& slot) {
    const bool factored = slot.storage == LinearStorage::kLowRank;
    const auto leaves = factored ? std::vector{".a", ".b"} : std::vector{".weight"};
    return std::any_of(leaves.begin(), leaves.end(), [&](const char* leaf) {
      return file.find(slot.name + leaf)->stored.type == StoredType::kInt8Row;
    });
  });
}

void load_weights(Backend& backend, const ModelFile& file, Transformer& transformer) {
  std::vector<float> values;
  for (Parameter* parameter : transformer.parameters()) {
    if (parameter->role == ParameterRole::kAdapter) {
      continue;  // begins beside the file's weights
    }
    const ModelTensor* tensor = file.find(parameter->name);
    if (parameter->role == ParameterRole::kClassifier && tensor != nullptr &&
        tensor->elements() != parameter->elements()) {
      continue;  // of other classes: drawn by whoever trains it
    }
    CHECK(tensor != nullptr && tensor->elements() == parameter->elements(),
          "a model file has the weights of its config");
    if (parameter->given) {
      give_weight(*parameter,
                  stored_tensor(backend, file, *tensor, parameter->role,
                                {Category::kWeights, parameter->layer, parameter->name}));
      if (becomes_floats(*tensor, parameter->role) || !can_stay(backend, *tensor)) {
        let_go_of_file(*tensor);
      }
      continue;
    }
    if (!backend.computes()) {
      continue;
    }
    values.resize(static_cast<std::size_t>(tensor->elements()));
    read_tensor(*tensor, values.data());
    set_values(backend, *parameter, values.data());
    let_go_of_file(*tensor);
  }
}

Result<LanguageModel> LanguageModel::open(Backend& backend, const std::filesystem::path& path,
                                          WeightForm form, std::optional<double> int8_threshold) {
  const Clock::time_point start = Clock::now();
  auto file = open_model_at(path);
  if (!file) {
    return file.error();
  }
  auto model = open(backend, std::move(*file), form, int8_threshold);
  if (model) {
    model->identity_.open_secs = std::chrono::duration<double>(Clock::now() - start).count();
  }
  return model;
}

Result<LanguageModel> LanguageModel::open(Backend& backend, ModelFile file, WeightForm form,
                                          std::optional<double> int8_threshold) {
  if (const auto text = check_reads_text(file); !text) {
    return text.error();
  }
  const bool stored = form == WeightForm::kAsStored;
  CHECK(stored || !int8_threshold, "weights in floats have no products in integers");
  std::vector<LinearPlan> plans = stored ? stored_plan(file) : file.plans();
  if (int8_threshold && !has_int8_rows(file)) {
    return Error{ErrorKind::kUsage,
                 file.path().string() +
                     " has no matrix of int8_row, which products in integers "
                     "(int8_products) read",
                 "make such a model by lathe compress " + file.path().string() +
                     " decompose=false quant.type=int8_row -o FOLDER, or leave int8_products off"};
  }
  for (LinearPlan& plan : plans) {
    plan.int8_threshold = int8_threshold;
  }
  ModelText text = read_model_text(file);
  return build(backend, std::move(file), plans, stored ? TableMemory::kGiven : TableMemory::kOwned,
               std::move(text));
}

Result<LanguageModel> LanguageModel::open(Backend& backend, ModelFile file,
                                          const std::vector<LinearPlan>& plans, ModelText text) {
  return build(backend, std::move(file), plans, TableMemory::kOwned, std::move(text));
}

LanguageModel LanguageModel::build(Backend& backend, ModelFile file,
                                   const std::vector<LinearPlan>& plans, TableMemory tables,
                                   ModelText text) {
  const Clock::time_point start = Clock::now();
  LanguageModel model(std::move(file));
  const ModelFile& source = model.file_;
  model.transformer_ = std::make_unique<Transformer>(backend, source.config(), plans, tables);
  const std::string hash = model_hash(source);  // reads the file: before its pages are let go
  load_weights(backend, source, *model.transformer_);
  model.tokenizer_ = std::move(text.tokenizer);
  model.tokenizer_problem_ = std::move(text.problem);
  if (model.tokenizer_ != nullptr && model.tokenizer_->vocab_size() > source.config().vocab_size) {
    model.tokenizer_problem_ = source.path().string() + ": its tokenizer has " +
                               std::to_string(model.tokenizer_->vocab_size()) +
                               " ids, its embedding " + std::to_string(source.config().vocab_size) +
                               " rows";
    model.tokenizer_.reset();
  }
  model.chat_template_ = std::move(text.chat_template);
  model.identity_ = {.format = std::string(model_format_name(source.format())) + " " +
                               std::string(info_of(source.main_type()).name),
                     .architecture = architecture_text(source.architecture(), source.config()),
                     .parameters = source.parameters(),
                     .stored_bytes = source.stored_bytes(),
                     .bits_per_weight = 8.0 * static_cast<double>(source.stored_bytes()) /
                                        static_cast<double>(source.parameters()),
                     .open_secs = std::chrono::duration<double>(Clock::now() - start).count(),
                     .hash = hash};
  return model;
}

}  // namespace lathe
