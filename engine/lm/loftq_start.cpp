// See loftq_start.h.
#include "engine/lm/loftq_start.h"

#include <cmath>
#include <map>

#include "engine/io/peft_adapter.h"
#include "engine/lm/language_model.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

void set_scaled(Backend& backend, Parameter& parameter, std::vector<float> values, double factor) {
  for (float& value : values) {
    value = static_cast<float>(value * factor);
  }
  set_values(backend, parameter, values.data());
}

}  // namespace

Result<void> write_loftq_start(const fs::path& model, const std::vector<StoredAdapter>& adapters) {
  if (adapters.empty()) {
    return {};
  }
  const auto written = ModelFile::open(model);
  if (!written) {
    return written.error();
  }
  const fs::path folder = model / kLoftqFolder;
  std::error_code failed;
  fs::create_directory(folder, failed);
  if (failed) {
    return Error{ErrorKind::kDisk, "cannot make " + folder.string() + ": " + failed.message(),
                 "check the folder's permissions"};
  }
  const auto bytes = write_peft_adapter(
      folder, *written, adapters, {.base = "..", .base_hash = model_hash(*written), .dropout = 0});
  return bytes ? Result<void>() : Result<void>(bytes.error());
}

Result<std::vector<StoredAdapter>> read_loftq_start(const ModelFile& model) {
  const fs::path folder = model.path() / kLoftqFolder;
  if (!is_peft_adapter(folder)) {
    return Error{ErrorKind::kUsage,
                 "method.lora.init=loftq begins with adapters that lie beside the weights, and " +
                     model.path().string() + " has no " + kLoftqFolder,
                 "make such a folder with `lathe compress MODEL decompose=false quant.type=nf4 "
                 "quant.loftq_rank=R -o FOLDER`, or choose init=default"};
  }
  const auto config = read_peft_config(folder);
  if (!config) {
    return config.error();
  }
  auto adapter = read_peft_adapter(folder, *config, model);
  if (!adapter) {
    return adapter.error();
  }
  if (!adapter->base_hash.empty() && adapter->base_hash != model_hash(model)) {
    return Error{ErrorKind::kMismatch,
                 folder.string() + " was made for other weights than those around it",
                 "write both anew with `lathe compress`"};
  }
  return std::move(adapter->slots);
}

std::string loftq_mismatch(const std::vector<StoredAdapter>& adapters,
                           const std::vector<LinearPlan>& slots) {
  std::map<std::string, const StoredAdapter*> by_slot;
  for (const StoredAdapter& adapter : adapters) {
    by_slot[adapter.slot] = &adapter;
  }
  for (const LinearPlan& slot : slots) {
    const auto there = by_slot.find(slot.name);
    const std::int64_t made = there == by_slot.end() ? 0 : there->second->plan.rank;
    if (made != slot.adapter.rank) {
      return slot.name + " has an adapter of rank " + std::to_string(made) + " in the model's " +
             kLoftqFolder + ", and of rank " + std::to_string(slot.adapter.rank) +
             " in this run (0: none)";
    }
  }
  return "";
}

void set_adapters(Backend& backend, Transformer& transformer,
                  const std::vector<StoredAdapter>& adapters, double scale) {
  if (!backend.computes()) {
    return;
  }
  std::map<std::string, Parameter*> by_name;
  for (Parameter* parameter : transformer.parameters()) {
    by_name[parameter->name] = parameter;
  }
  for (const StoredAdapter& adapter : adapters) {
    const double share = std::sqrt(adapter.plan.scale / scale);
    set_scaled(backend, *by_name.at(adapter.slot + ".lora_a"), adapter.a, share);
    set_scaled(backend, *by_name.at(adapter.slot + ".lora_b"), adapter.b, share);
  }
}

}  // namespace lathe
