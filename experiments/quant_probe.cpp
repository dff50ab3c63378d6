// See quant_probe.h.
#include "experiments/quant_probe.h"

#include <fmt/core.h>

#include <algorithm>

#include "engine/compress/compress_spec.h"
#include "engine/compress/stored_slots.h"
#include "engine/io/model_file.h"
#include "engine/quant/block_grid.h"
#include "engine/quant/stored_matrix.h"
#include "experiments/clock.h"

namespace lathe::experiments {
namespace {

// Of palettes with more bits, finding them takes longer than looking at all other types.
constexpr std::int64_t kMostProbedPalette = 6;

// Precondition: it is among the options.
StoredType type_of(const QuantOption& option) {
  const auto type = stored_type_of_name(option.name);
  CHECK(type.has_value(), "options are named as what is stored");
  return *type;
}

QuantOption option_of(const QuantConfig& config, bool has_choices) {
  const Result<StoredType> type = stored_type_of(config);
  CHECK(type.ok(), "what is offered is legal");
  const StoredTypeInfo info = info_of(*type);
  return {.name = std::string(info.name),
          .type = std::string(enum_name(config.type)),
          .bits = has_choices ? config.bits : 0,
          .group = config.type == QuantType::kInt ? config.group : 0,
          .gptq = has_grid(*type),
          .outliers = spqr_bits(*type) > 0,
          .block_elements = info.block_elements,
          .levels = level_positions(*type)};
}

CompressTarget target_of(std::string_view name) {
  const auto& names = EnumNames<CompressTarget>::names;
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? CompressTarget::kAll
                              : static_cast<CompressTarget>(found - names.begin());
}

double weights_of_slots(const ModelFile& model) {
  double weights = 0;
  for (const LinearPlan& plan : model.plans()) {
    for (const std::string& matrix : matrices_of(plan)) {
      weights += layer_type(plan.name) ? static_cast<double>(model.find(matrix)->elements()) : 0;
    }
  }
  return weights;
}

// As `lathe compress` counts them: what is in a type of ours is written as it is.
double written_bytes(const ModelTensor& tensor, double bytes_per_param) {
  return is_ours(tensor.stored.type) ? static_cast<double>(tensor.stored_bytes())
                                     : static_cast<double>(tensor.elements()) * bytes_per_param;
}

}  // namespace

std::vector<QuantOption> quant_options() {
  std::vector<QuantOption> options;
  for (std::size_t i = 1; i < EnumNames<QuantType>::names.size(); ++i) {
    QuantConfig config;
    config.type = static_cast<QuantType>(i);
    if (config.type == QuantType::kSpqr || config.type == QuantType::kPalette) {
      const bool spqr = config.type == QuantType::kSpqr;
      const std::int64_t most = spqr ? 4 : kMostProbedPalette;
      for (config.bits = spqr ? 3 : 1; config.bits <= most; ++config.bits) {
        options.push_back(option_of(config, true));
      }
      continue;
    }
    if (config.type != QuantType::kInt) {
      const auto type = stored_type_of(config);
      if (type && can_encode_matrix(*type)) {
        options.push_back(option_of(config, false));
      }
      continue;
    }
    for (config.group = 32; config.group <= 128; config.group *= 2) {
      for (config.bits = 2; config.bits <= 8; ++config.bits) {
        options.push_back(option_of(config, true));
      }
    }
  }
  return options;
}

Result<QuantProbe> probe_quant(const ModelFile& model, const std::string& name,
                               double bytes_per_param, const CompressProgress& progress) {
  const Stopwatch watch;
  QuantProbe probe;
  probe.model = name;
  CompressSpec only_rounds;
  only_rounds.decompose = false;
  probe.spec = to_json(only_rounds);
  probe.blocks = model.config().layers;
  probe.params = model.parameters();
  probe.stored_bytes = model.stored_bytes();
  probe.options = quant_options();
  std::vector<StoredType> types;
  for (const QuantOption& option : probe.options) {
    types.push_back(type_of(option));
  }
  for (const ModelTensor& tensor : model.tensors()) {
    probe.other_bytes += written_bytes(tensor, bytes_per_param);
  }
  const double weights = weights_of_slots(model);
  double done = 0;
  for (const LinearPlan& plan : model.plans()) {
    if (!layer_type(plan.name)) {
      continue;
    }
    for (const std::string& matrix : matrices_of(plan)) {
      if (progress && !progress(done / weights, "rounding " + matrix)) {
        return Error{ErrorKind::kInterrupted, "stopped", ""};
      }
      const ModelTensor& tensor = *model.find(matrix);
      auto statistics =
          round_statistics(types, model.floats(matrix), tensor.shape[0], tensor.shape[1]);
      if (!statistics) {
        return Error{statistics.error().kind, matrix + ": " + statistics.error().message,
                     statistics.error().remedy};
      }
      const double kept = written_bytes(tensor, bytes_per_param);
      probe.other_bytes -= kept;
      done += static_cast<double>(tensor.elements());
      probe.layers.push_back({.slot = plan.name,
                              .matrix = matrix,
                              .out = tensor.shape[0],
                              .in = tensor.shape[1],
                              .kept_bytes = kept,
                              .statistics = std::move(*statistics)});
    }
  }
  probe.secs = watch.secs();
  return probe;
}

std::optional<std::size_t> find_option(const QuantProbe& probe, std::string_view type,
                                       std::int64_t bits, std::int64_t group) {
  const auto found =
      std::find_if(probe.options.begin(), probe.options.end(), [&](const QuantOption& option) {
        return option.type == type && (option.bits == 0 || option.bits == bits) &&
               (option.group == 0 || option.group == group);
      });
  return found == probe.options.end()
             ? std::nullopt
             : std::optional(static_cast<std::size_t>(found - probe.options.begin()));
}

QuantPlan plan_quant(const QuantProbe& probe, std::size_t option, std::string_view target) {
  const std::vector<LayerType> types = target_types(target_of(target));
  QuantPlan plan;
  plan.rounded.assign(probe.layers.size(), false);
  plan.bytes_before = plan.bytes_after = probe.other_bytes;
  double rounded = 0;
  double weights = 0;
  double bytes = 0;
  for (std::size_t i = 0; i < probe.layers.size(); ++i) {
    const QuantLayer& layer = probe.layers[i];
    const auto type = layer_type(layer.slot);
    const bool meant = type && std::find(types.begin(), types.end(), *type) != types.end();
    const auto& statistics = layer.statistics.types[option];
    plan.bytes_before += layer.kept_bytes;
    if (!meant || !statistics) {
      plan.bytes_after += layer.kept_bytes;
      if (meant) {
        plan.refused.push_back(i);
      }
      continue;
    }
    plan.rounded[i] = true;
    plan.error_share += statistics->error_share;
    bytes += static_cast<double>(statistics->bytes);
    weights += static_cast<double>(layer.out * layer.in);
    ++rounded;
  }
  plan.bytes_after += bytes;
  plan.bits = weights > 0 ? 8 * bytes / weights : 0;
  plan.error_share = rounded > 0 ? plan.error_share / rounded : 0;
  return plan;
}

std::string refusal_text(const QuantLayer& layer, const QuantOption& option) {
  if (layer.in % option.block_elements == 0 && option.type == "palette") {
    return "it has fewer different weights than the palette has values";
  }
  return fmt::format("rows of {} are not whole {} of {}", layer.in,
                     option.group > 0 ? "groups" : "blocks", option.block_elements);
}

}  // namespace lathe::experiments
