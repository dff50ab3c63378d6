// Reading and writing PEFT's adapters.
#include "engine/io/peft_adapter.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "engine/base/atomic_file.h"
#include "engine/base/json.h"
#include "engine/io/hf_folder.h"
#include "engine/quant/block_codec.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigFile = "adapter_config.json";
constexpr const char* kWeightsFile = "adapter_model.safetensors";
constexpr const char* kHashKey = "lathe_base_hash";
constexpr std::string_view kRoot = "base_model.model.";
constexpr std::int64_t kHighestRank = 16384;

Error unusable(const fs::path& path, const std::string& what) {
  return {ErrorKind::kData, path.string() + ": " + what,
          "take the adapter from where it came again, or another one"};
}

Error not_computed(const fs::path& path, const std::string& what) {
  return {ErrorKind::kData, path.string() + ": " + what + ", which is not computed here",
          "merge it into its base with PEFT (merge_and_unload) and open the folder that gives"};
}

// A key that is there and says something.
const Json* told(const Json& config, const char* key) {
  const auto found = config.find(key);
  const bool nothing = found == config.end() || found->is_null() || *found == Json(false) ||
                       ((found->is_object() || found->is_array()) && found->empty());
  return nothing ? nullptr : &*found;
}

// What makes something else of a layer than y += s B A x; empty where nothing does.
std::string other_form(const Json& config) {
  for (const char* key : {"use_dora", "use_qalora", "lora_bias", "modules_to_save", "rank_pattern",
                          "alpha_pattern", "layer_replication", "target_parameters",
                          "trainable_token_indices", "alora_invocation_tokens"}) {
    if (told(config, key) != nullptr) {
      return std::string(key) + " is set";
    }
  }
  if (const Json* bias = told(config, "bias"); bias != nullptr && *bias != Json("none")) {
    return "bias is " + json_text(*bias);
  }
  const Json* init = told(config, "init_lora_weights");
  // The others (pissa, olora, corda, loftq ...) have changed the base's weights.
  const std::set<std::string> beside{"gaussian", "eva", "orthogonal"};
  if (init != nullptr && *init != Json(true) &&
      !(init->is_string() && beside.contains(init->get<std::string>()))) {
    return "init_lora_weights is " + json_text(*init) + ", so the base's weights have changed";
  }
  return "";
}

// The names of target_modules, where it is a list and holds for all layers.
Result<std::vector<std::string>> targets_of(const Json& config, const fs::path& path) {
  std::vector<std::string> names;
  const Json* listed = told(config, "target_modules");
  if (listed == nullptr || !listed->is_array() || told(config, "layers_to_transform") != nullptr ||
      told(config, "exclude_modules") != nullptr) {
    return names;
  }
  for (const Json& name : *listed) {
    if (!name.is_string()) {
      return unusable(path, "target_modules holds " + json_text(name) + ", which is no name");
    }
    names.push_back(name.get<std::string>());
  }
  return names;
}

// Slots by the name that PEFT gives their module.
Result<std::map<std::string, const LinearPlan*>> modules_of(const ModelFile& base) {
  const ModelConfig& model = base.config();
  if (!(model.norm == NormKind::kRms && model.gated() && model.positions == PositionKind::kRope)) {
    return Error{ErrorKind::kUsage,
                 base.path().string() +
                     ": PEFT's adapters are read and written beside models of LLaMA's shape alone "
                     "(rms norm, swiglu, rope); files of GPT-2's kin keep q, k and v as one matrix",
                 "use the merged model: lathe export RUN --format hf"};
  }
  if (any_factored(base.plans())) {
    return Error{ErrorKind::kUsage,
                 base.path().string() + " has layers of two factors, which PEFT does not know",
                 "use the merged model: lathe export RUN --format hf --keep-factors"};
  }
  std::map<std::string, const LinearPlan*> slots, modules;
  for (const LinearPlan& plan : base.plans()) {
    slots[plan.name + ".weight"] = &plan;
  }
  for (const NamedWeight& weight : named_weights(model, NameScheme::kHfLlama)) {
    const auto slot = slots.find(weight.tensor.name);
    if (slot != slots.end()) {
      const std::string& stored = weight.stored_name;
      modules[std::string(kRoot) + stored.substr(0, stored.rfind('.'))] = slot->second;
    }
  }
  return modules;
}

std::string leaf_of(const std::string& module) {
  return module.substr(module.rfind('.') + 1);
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t extent : shape) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  }
  return text + "]";
}

Result<std::vector<float>> matrix_of(const SafetensorsFile& file, const fs::path& path,
                                     const std::string& name,
                                     const std::vector<std::int64_t>& shape) {
  const SafetensorsEntry* entry = file.find(name);
  if (entry == nullptr) {
    return unusable(path, "tensor " + name + " is missing");
  }
  if (entry->shape != shape) {
    return Error{ErrorKind::kMismatch,
                 path.string() + ": " + name + " is " + shape_text(entry->shape) +
                     ", and beside this base it would be " + shape_text(shape),
                 "the adapter is of another base or rank; name the base that it was made for as "
                 "base_model_name_or_path in adapter_config.json"};
  }
  const auto type = stored_type_of_safetensors(entry->dtype, name);
  if (!type) {
    return unusable(path, type.error().message);
  }
  std::vector<float> values(static_cast<std::size_t>(shape[0] * shape[1]));
  decode_row(*type, file.bytes(*entry).data(), values.data(), shape[0] * shape[1]);
  if (!std::all_of(values.begin(), values.end(),
                   [](float value) { return std::isfinite(value); })) {
    return unusable(path, name + " holds values that are not finite");
  }
  return values;
}

// Modules that the file has a matrix of, or that all layers are said to have one for.
Result<std::set<std::string>> adapted_modules(
    const SafetensorsFile& file, const fs::path& path, const PeftConfig& config,
    const std::map<std::string, const LinearPlan*>& modules) {
  std::set<std::string> adapted;
  for (const SafetensorsEntry& entry : file.entries()) {
    const std::size_t at = entry.name.rfind(".lora_");
    const std::string leaf = at == std::string::npos ? "" : entry.name.substr(at);
    const std::string module = entry.name.substr(0, at);
    if ((leaf != ".lora_A.weight" && leaf != ".lora_B.weight") || !modules.contains(module)) {
      return Error{ErrorKind::kMismatch,
                   path.string() + ": " + entry.name + " has no place beside this base, whose " +
                       std::to_string(modules.size()) + " modules are like " +
                       modules.begin()->first,
                   "adapters of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj and down_proj "
                   "are read; merge others into their base with PEFT (merge_and_unload)"};
    }
    adapted.insert(module);
  }
  for (const std::string& target : config.targets) {
    bool known = false;
    for (const auto& [module, plan] : modules) {
      if (module == target || module.ends_with("." + target)) {
        adapted.insert(module);
        known = true;
      }
    }
    if (!known) {
      return unusable(path.parent_path() / kConfigFile,
                      "target_modules has \"" + target + "\", and the base no such module");
    }
  }
  return adapted;
}

Json config_json(const std::vector<StoredAdapter>& slots, const std::set<std::string>& targets,
                 const PeftOrigin& origin) {
  const AdapterPlan& plan = slots.front().plan;
  return {{"peft_type", "LORA"},
          {"task_type", "CAUSAL_LM"},
          {"base_model_name_or_path", origin.base},
          {"inference_mode", true},
          {"r", plan.rank},
          {"lora_alpha", plan.scale * static_cast<double>(plan.rank)},
          {"lora_dropout", origin.dropout},
          {"target_modules", targets},
          {"bias", "none"},
          {"fan_in_fan_out", false},
          {"init_lora_weights", true},
          {"use_rslora", false},
          {"use_dora", false},
          {"modules_to_save", nullptr},
          {"rank_pattern", Json::object()},
          {"alpha_pattern", Json::object()}};
}

}  // namespace

bool is_peft_adapter(const fs::path& folder) {
  std::error_code failed;
  return fs::is_regular_file(folder / kConfigFile, failed);
}

Result<PeftConfig> read_peft_config(const fs::path& folder) {
  const fs::path path = folder / kConfigFile;
  const Result<Json> read = read_json_file(path.string());
  if (!read || !read->is_object()) {
    return unusable(path, read ? "it is not a JSON object" : read.error().message);
  }
  const Json& config = *read;
  const Json* type = told(config, "peft_type");
  if (type == nullptr || *type != Json("LORA")) {
    return not_computed(path, "peft_type is " + (type == nullptr ? "missing" : json_text(*type)));
  }
  if (const std::string other = other_form(config); !other.empty()) {
    return not_computed(path, other);
  }
  const Json* rank = told(config, "r");
  const Json* alpha = told(config, "lora_alpha");
  const Json* base = told(config, "base_model_name_or_path");
  PeftConfig made;
  made.rank = rank != nullptr && rank->is_number_integer() ? rank->get<std::int64_t>() : 0;
  if (made.rank < 1 || made.rank > kHighestRank) {
    return unusable(path, "r is no number from 1 to " + std::to_string(kHighestRank));
  }
  if (alpha == nullptr || !alpha->is_number() || !std::isfinite(alpha->get<double>())) {
    return unusable(path, "lora_alpha is no number");
  }
  if (base == nullptr || !base->is_string() || base->get<std::string>().empty()) {
    return unusable(path, "base_model_name_or_path names no model");
  }
  const bool root = told(config, "use_rslora") != nullptr;
  const auto r = static_cast<double>(made.rank);
  made.base = base->get<std::string>();
  made.scale = alpha->get<double>() / (root ? std::sqrt(r) : r);
  auto targets = targets_of(config, path);
  if (!targets) {
    return targets.error();
  }
  made.targets = std::move(*targets);
  return made;
}

Result<PeftAdapter> read_peft_adapter(const fs::path& folder, const PeftConfig& config,
                                      const ModelFile& base) {
  const fs::path path = folder / kWeightsFile;
  const auto modules = modules_of(base);
  if (!modules) {
    return modules.error();
  }
  const auto file = SafetensorsFile::open(path);
  if (!file) {
    return file.error();
  }
  const auto adapted = adapted_modules(*file, path, config, *modules);
  if (!adapted) {
    return adapted.error();
  }
  if (adapted->empty()) {
    return unusable(path, "it holds no adapter");
  }
  PeftAdapter made;
  if (const auto hash = file->metadata().find(kHashKey); hash != file->metadata().end()) {
    made.base_hash = hash->second;
  }
  for (const std::string& module : *adapted) {
    const LinearPlan& plan = *modules->at(module);
    auto a = matrix_of(*file, path, module + ".lora_A.weight", {config.rank, plan.in});
    if (!a) {
      return a.error();
    }
    auto b = matrix_of(*file, path, module + ".lora_B.weight", {plan.out, config.rank});
    if (!b) {
      return b.error();
    }
    made.slots.push_back({.slot = plan.name,
                          .plan = {.rank = config.rank, .scale = config.scale},
                          .a = std::move(*a),
                          .b = std::move(*b)});
  }
  return made;
}

Result<std::int64_t> write_peft_adapter(const fs::path& folder, const ModelFile& base,
                                        const std::vector<StoredAdapter>& slots,
                                        const PeftOrigin& origin) {
  CHECK(!slots.empty(), "an adapter has slots");
  const auto modules = modules_of(base);
  if (!modules) {
    return modules.error();
  }
  std::map<std::string, std::string> module_of;  // by slot
  for (const auto& [module, plan] : *modules) {
    module_of[plan->name] = module;
  }
  SafetensorsWriter writer;
  writer.set_metadata("format", "pt");
  writer.set_metadata(kHashKey, origin.base_hash);
  std::set<std::string> targets;
  for (const StoredAdapter& slot : slots) {
    const std::string& module = module_of.at(slot.slot);
    const std::int64_t rank = slot.plan.rank;
    const auto columns = static_cast<std::int64_t>(slot.a.size()) / rank;
    const auto rows = static_cast<std::int64_t>(slot.b.size()) / rank;
    writer.declare(module + ".lora_A.weight", DType::kF32, {rank, columns});
    writer.declare(module + ".lora_B.weight", DType::kF32, {rows, rank});
    targets.insert(leaf_of(module));
  }
  Result<void> done = writer.open(folder / kWeightsFile);
  std::int64_t bytes = 0;
  for (const StoredAdapter& slot : slots) {
    for (const std::vector<float>* factor : {&slot.a, &slot.b}) {
      const std::size_t size = factor->size() * sizeof(float);
      bytes += static_cast<std::int64_t>(size);
      done = done ? writer.write(factor->data(), size) : done;
    }
  }
  done = done ? writer.commit() : done;
  done = done ? write_file_atomically(folder / kConfigFile,
                                      json_text(config_json(slots, targets, origin), 2) + "\n")
              : done;
  return done ? Result<std::int64_t>(bytes) : Result<std::int64_t>(done.error());
}

}  // namespace lathe
