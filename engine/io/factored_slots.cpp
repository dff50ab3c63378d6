// Names and description of factored slots.
#include "engine/io/factored_slots.h"

#include <algorithm>
#include <map>

namespace lathe {
namespace {

constexpr std::string_view kWeight = ".weight";

bool is_fused(NameScheme scheme) {
  return scheme == NameScheme::kHfGpt2 || scheme == NameScheme::kHfBigCode ||
         scheme == NameScheme::kGgufGpt2;
}

Error unusable(const std::string& origin, const std::string& what) {
  return {ErrorKind::kData, origin + ": factored_slots: " + what,
          "the file is damaged or of another model than it says; use another one"};
}

// "model.layers.3.mlp.down_proj" of each slot, by its name here.
std::map<std::string, std::string> module_names(const ModelConfig& model, NameScheme scheme) {
  std::map<std::string, std::string> names;
  for (const NamedWeight& weight : named_weights(model, scheme)) {
    const std::string& name = weight.tensor.name;
    if (name.ends_with(kWeight) && weight.stored_name.ends_with(kWeight)) {
      names[name.substr(0, name.size() - kWeight.size())] =
          weight.stored_name.substr(0, weight.stored_name.size() - kWeight.size());
    }
  }
  return names;
}

// Reads one entry into the slot's plan; what is wrong with it, or nothing.
std::string read_slot(const Json& entry, LinearPlan& plan) {
  if (!entry.is_object()) {
    return "is not an object";
  }
  const auto rank = entry.find("rank");
  const std::int64_t full = std::min(plan.in, plan.out);
  if (rank == entry.end() || !rank->is_number_integer() || rank->get<std::int64_t>() < 1 ||
      rank->get<std::int64_t>() > full) {
    return "has no rank from 1 to " + std::to_string(full);
  }
  plan.storage = LinearStorage::kLowRank;
  plan.rank = rank->get<std::int64_t>();
  const auto bias = entry.find("bias");
  if (bias != entry.end() && !bias->is_boolean()) {
    return "has a bias that is neither true nor false";
  }
  plan.bias = bias != entry.end() && bias->get<bool>();
  const auto between = entry.find("between");
  if (between == entry.end()) {
    return "";
  }
  const auto kind = between->is_string() ? enum_of<Activation>(between->get<std::string>())
                                         : std::optional<Activation>();
  if (!kind) {
    return "has an activation between its factors that is not computed here: " + between->dump();
  }
  plan.between = *kind;
  return "";
}

NamedWeight factor(const std::string& name, const std::string& stored_name,
                   std::vector<std::int64_t> shape) {
  return {.tensor = {.name = name, .shape = std::move(shape), .stored = {}},
          .stored_name = stored_name};
}

void append_factors(const LinearPlan& plan, const std::string& module,
                    std::vector<NamedWeight>& out) {
  out.push_back(factor(plan.name + ".a", module + ".a.weight", {plan.rank, plan.in}));
  out.push_back(factor(plan.name + ".b", module + ".b.weight", {plan.out, plan.rank}));
  if (plan.bias) {
    out.push_back(factor(plan.name + ".bias", module + ".b.bias", {plan.out}));
  }
}

}  // namespace

bool stands_alone(NameScheme scheme, const std::string& slot) {
  return !is_fused(scheme) || !(slot.ends_with("attention.q") || slot.ends_with("attention.k") ||
                                slot.ends_with("attention.v"));
}

std::vector<NamedWeight> slot_weights(const ModelConfig& model, NameScheme scheme,
                                      const std::vector<LinearPlan>& plans) {
  std::map<std::string, const LinearPlan*> factored;
  for (const LinearPlan& plan : plans) {
    if (plan.storage == LinearStorage::kLowRank) {
      factored[plan.name] = &plan;
    }
  }
  std::vector<NamedWeight> all;
  for (NamedWeight& weight : named_weights(model, scheme)) {
    const std::string& name = weight.tensor.name;
    const auto slot = factored.find(name.substr(0, name.rfind('.')));
    if (slot == factored.end()) {
      all.push_back(std::move(weight));
    } else if (name.ends_with(kWeight)) {  // the bias of a factored slot comes with its factors
      const std::string& stored = weight.stored_name;
      append_factors(*slot->second, stored.substr(0, stored.size() - kWeight.size()), all);
    }
  }
  return all;
}

Result<std::vector<LinearPlan>> factored_plan(const Json& config, const ModelConfig& model,
                                              NameScheme scheme, const std::string& origin) {
  std::vector<LinearPlan> plans = dense_plan(model);
  const auto entries = config.find("factored_slots");
  if (entries == config.end()) {
    return plans;
  }
  if (!entries->is_object()) {
    return unusable(origin, "it is not an object");
  }
  const std::map<std::string, std::string> modules = module_names(model, scheme);
  std::size_t used = 0;
  for (LinearPlan& plan : plans) {
    const auto entry =
        stands_alone(scheme, plan.name) ? entries->find(modules.at(plan.name)) : entries->end();
    if (entry == entries->end()) {
      continue;
    }
    ++used;
    if (const std::string wrong = read_slot(*entry, plan); !wrong.empty()) {
      return unusable(origin, entry.key() + " " + wrong);
    }
  }
  if (used != entries->size()) {
    return unusable(origin, std::to_string(entries->size() - used) +
                                " entries name no linear layer of this model");
  }
  return plans;
}

Json factored_slots_json(const ModelConfig& model, NameScheme scheme,
                         const std::vector<LinearPlan>& plans) {
  const std::map<std::string, std::string> modules = module_names(model, scheme);
  Json entries = Json::object();
  for (const LinearPlan& plan : plans) {
    if (plan.storage != LinearStorage::kLowRank) {
      continue;
    }
    Json entry{{"rank", plan.rank}, {"bias", plan.bias}};
    if (plan.between != Activation::kNone) {
      entry["between"] = std::string(enum_name(plan.between));
    }
    entries[modules.at(plan.name)] = std::move(entry);
  }
  return entries;
}

}  // namespace lathe
