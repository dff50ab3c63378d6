// See quant_view.h.
#include "ui/model/quant_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "engine/base/format.h"
#include "ui/model/spectrum_view.h"

namespace lathe::ui {

namespace ex = lathe::experiments;

namespace {

// Perplexities of the dense model that differ by less are of the same text.
constexpr double kSameText = 1e-6;
// Colours are logarithmic where the highest value is so many times the lowest.
constexpr double kWideSpan = 4;

Json choice_with(const QuantForm& form, const QuantProbe& probe, const QuantOption& option) {
  Json spec = probe.spec;
  spec["target"] = kTargets[static_cast<std::size_t>(form.target)];
  spec["heldout_windows"] = form.windows;
  Json& quant = spec["quant"];
  quant["type"] = option.type;
  if (option.bits > 0) {
    quant["bits"] = option.bits;
  }
  if (option.group > 0) {
    quant["group"] = option.group;
  }
  quant["rounding"] = kRoundings[option.gptq ? static_cast<std::size_t>(form.rounding) : 0].id;
  return spec;
}

const QuantTypeWords* words_of(const std::string& type) {
  const auto found = std::find_if(kQuantTypes.begin(), kQuantTypes.end(),
                                  [&](const QuantTypeWords& words) { return type == words.id; });
  return found == kQuantTypes.end() ? nullptr : &*found;
}

double weights_of(const QuantLayer& layer) {
  return static_cast<double>(layer.out) * static_cast<double>(layer.in);
}

double heat_value(const QuantLayer& layer, std::size_t option, QuantHeat heat) {
  if (heat == QuantHeat::kOutliers) {
    return static_cast<double>(layer.statistics.outliers) / weights_of(layer);
  }
  if (heat == QuantHeat::kLargest) {
    return layer.statistics.largest_sigmas;
  }
  const auto& rounded = layer.statistics.types[option];
  return rounded ? rounded->error_share : std::nan("");
}

// Whether a run measured a rounding, and nothing else, of that model.
bool measured_bits(const RunRow& row, const std::string& model) {
  return row.kind == "compress" && row.state == RunState::kDone && !row.trashed &&
         row.name.starts_with(model + " ") && row.last.contains("eval/ppl") &&
         row.last.contains("compress/ppl_rise") && row.last.contains("compress/bits") &&
         !row.last.contains("compress/rank_cut");
}

// "int4_g64 nearest" without its bits: "int_g64 nearest".
std::string series_of(const std::string& name) {
  const std::size_t group = name.find("_g");
  std::size_t bits = group;
  while (bits != std::string::npos && bits > 0 && name[bits - 1] >= '0' && name[bits - 1] <= '9') {
    --bits;
  }
  return group == std::string::npos ? name : name.substr(0, bits) + name.substr(group);
}

// Whether two CompressSpecs that only round make and measure the same.
bool same_choice(const Json& a, const Json& b) {
  const auto same = [](const Json& x, const Json& y, std::initializer_list<const char*> keys) {
    return std::all_of(keys.begin(), keys.end(), [&](const char* key) {
      return x.value(key, Json()) == y.value(key, Json());
    });
  };
  const Json quant_a = a.value("quant", Json::object());
  const Json quant_b = b.value("quant", Json::object());
  if (!same(a, b, {"decompose", "target", "heldout_windows", "data"}) ||
      !same(quant_a, quant_b, {"type", "bits", "group", "rounding"})) {
    return false;
  }
  if (quant_a.value("type", "") == "palette" &&
      !same(quant_a, quant_b,
            {"clusters", "palette_rows", "palette_dim", "palette_scale", "weighting"})) {
    return false;
  }
  const bool reads_text =
      quant_a.value("rounding", "") != "nearest" || quant_a.value("weighting", "") == "fisher";
  return !reads_text || (same(a, b, {"calibration"}) && quant_a == quant_b);
}

// Outliers that stand beside the codes, and the tenth of the columns that has most of them.
std::string kept_text(const QuantLayer& layer, const RoundStatistics& rounded) {
  const double share = static_cast<double>(rounded.kept) / weights_of(layer);
  std::string text = fmt::format("{} weights ({}) beside the codes, of inputs taken for equal",
                                 rounded.kept, heat_text(QuantHeat::kOutliers, share));
  std::vector<std::int64_t> bins = rounded.kept_columns;
  const std::size_t most = (bins.size() + 9) / 10;
  if (rounded.kept == 0 || most == 0) {
    return text;
  }
  std::sort(bins.begin(), bins.end(), std::greater<>());
  const std::int64_t there = std::accumulate(
      bins.begin(), bins.begin() + static_cast<std::ptrdiff_t>(most), std::int64_t{0});
  return text + fmt::format("; {:.0f} % of them in {:.0f} % of the columns",
                            100 * static_cast<double>(there) / static_cast<double>(rounded.kept),
                            100 * static_cast<double>(most) / static_cast<double>(bins.size()));
}

}  // namespace

std::vector<std::string> types_of(const QuantProbe& probe) {
  std::vector<std::string> types;
  for (const QuantOption& option : probe.options) {
    if (std::find(types.begin(), types.end(), option.type) == types.end()) {
      types.push_back(option.type);
    }
  }
  return types;
}

std::string swept_type(const QuantProbe& probe) {
  const auto found = std::find_if(probe.options.begin(), probe.options.end(),
                                  [](const QuantOption& option) { return option.bits > 0; });
  return found == probe.options.end() ? "" : found->type;
}

std::vector<std::int64_t> groups_of(const QuantProbe& probe, const std::string& type) {
  std::vector<std::int64_t> groups;
  for (const QuantOption& option : probe.options) {
    if (option.type == type && option.group > 0 &&
        std::find(groups.begin(), groups.end(), option.group) == groups.end()) {
      groups.push_back(option.group);
    }
  }
  return groups;
}

std::array<int, 2> bits_of(const QuantProbe& probe, const std::string& type) {
  std::array<int, 2> bits{0, 0};
  for (const QuantOption& option : probe.options) {
    if (option.type == type && option.bits > 0) {
      const auto its = static_cast<int>(option.bits);
      bits = {bits[0] == 0 ? its : std::min(bits[0], its), std::max(bits[1], its)};
    }
  }
  return bits;
}

std::string type_title(const std::string& type) {
  const QuantTypeWords* words = words_of(type);
  return words == nullptr ? type : words->title;
}

std::string type_help(const std::string& type) {
  const QuantTypeWords* words = words_of(type);
  return words == nullptr ? "" : words->help;
}

std::size_t option_of(const QuantForm& form, const QuantProbe& probe) {
  const std::array<int, 2> bits = bits_of(probe, form.type);
  return find_option(probe, form.type, std::clamp(form.bits, bits[0], bits[1]), form.group)
      .value_or(0);
}

Json quant_choice_of(const QuantForm& form, const QuantProbe& probe) {
  return choice_with(form, probe, probe.options[option_of(form, probe)]);
}

std::vector<Json> quant_choices_of(const QuantForm& form, const QuantProbe& probe) {
  const std::vector<std::int64_t> groups =
      form.list.groups.empty() ? std::vector{form.group} : form.list.groups;
  const std::string swept = swept_type(probe);
  const auto wanted = [&](const QuantOption& option) {
    if (option.bits == 0) {
      return form.list.fixed_types;
    }
    const bool asked = option.type == swept
                           ? std::find(groups.begin(), groups.end(), option.group) != groups.end()
                           : form.list.spqr;
    return asked && option.bits >= form.list.from && option.bits <= form.list.to;
  };
  const char* target = kTargets[static_cast<std::size_t>(form.target)];
  std::vector<Json> choices;
  for (const bool fixed : {true, false}) {
    for (std::size_t i = 0; i < probe.options.size(); ++i) {
      const QuantOption& option = probe.options[i];
      if ((option.bits == 0) == fixed && wanted(option) &&
          plan_quant(probe, i, target).refused.empty()) {
        choices.push_back(choice_with(form, probe, option));
      }
    }
  }
  return choices;
}

std::string layer_name(const QuantLayer& layer) {
  return layer.matrix.ends_with(".weight") ? layer.slot : layer.matrix;
}

HeatMap quant_map(const QuantProbe& probe, const QuantPlan& plan, std::size_t option,
                  QuantHeat heat) {
  std::vector<std::string> names;
  for (const QuantLayer& layer : probe.layers) {
    names.push_back(layer_name(layer));
  }
  HeatMap map = empty_map(names, probe.blocks);
  double lowest = INFINITY;
  double highest = 0;
  for (std::size_t cell = 0; cell < map.layers.size(); ++cell) {
    if (map.layers[cell] < 0) {
      continue;
    }
    const auto layer = static_cast<std::size_t>(map.layers[cell]);
    map.struck[cell] = heat == QuantHeat::kError && !plan.rounded[layer];
    map.values[cell] = heat_value(probe.layers[layer], option, heat);
    if (!map.struck[cell] && std::isfinite(map.values[cell])) {
      lowest = std::min(lowest, map.values[cell]);
      highest = std::max(highest, map.values[cell]);
    }
  }
  map.lowest = std::isinf(lowest) ? 0 : lowest;
  map.highest = highest;
  map.logarithmic = map.lowest > 0 && highest > kWideSpan * lowest;
  return map;
}

std::string heat_text(QuantHeat heat, double value) {
  if (heat == QuantHeat::kLargest) {
    return fmt::format("{:.1f} σ", value);
  }
  return fmt::format("{:.3g} %", 100 * value);
}

std::vector<std::string> quant_layer_lines(const QuantProbe& probe, const QuantPlan& plan,
                                           std::size_t option, std::size_t layer) {
  const QuantLayer& known = probe.layers[layer];
  const auto& rounded = known.statistics.types[option];
  std::vector<std::string> lines{
      fmt::format("{}, {} x {}", layer_name(known), known.out, known.in)};
  const std::string kept = bytes_text(static_cast<std::int64_t>(known.kept_bytes));
  if (plan.rounded[layer]) {
    lines.push_back(fmt::format("error {}, {:.2f} bits a weight, {} of {}",
                                heat_text(QuantHeat::kError, rounded->error_share),
                                8 * static_cast<double>(rounded->bytes) / weights_of(known),
                                bytes_text(rounded->bytes), kept));
    if (probe.options[option].outliers) {
      lines.push_back(kept_text(known, *rounded));
    }
  } else {
    lines.push_back(
        fmt::format("stays as it is, {}: {}", kept,
                    rounded ? "not among the layers" : refusal_text(known, probe.options[option])));
  }
  lines.push_back(fmt::format(
      "outliers: {} ({}) above {:g} σ of their row, the largest {}", known.statistics.outliers,
      heat_text(QuantHeat::kOutliers,
                static_cast<double>(known.statistics.outliers) / weights_of(known)),
      kOutlierSigmas, heat_text(QuantHeat::kLargest, known.statistics.largest_sigmas)));
  return lines;
}

std::string refused_text(const QuantProbe& probe, const QuantPlan& plan, std::size_t option) {
  if (plan.refused.empty()) {
    return "";
  }
  const QuantLayer& first = probe.layers[plan.refused.front()];
  const std::string why = refusal_text(first, probe.options[option]);
  return plan.refused.size() == 1 ? fmt::format("{} stays as it is: {}", layer_name(first), why)
                                  : fmt::format("{} layers from {} on stay as they are: {}",
                                                plan.refused.size(), layer_name(first), why);
}

LevelCurves level_curves(const QuantProbe& probe, std::size_t option, std::size_t layer) {
  LevelCurves curves;
  const MatrixStatistics& statistics = probe.layers[layer].statistics;
  const auto& rounded = statistics.types[option];
  if (!rounded || (!rounded->positions && rounded->kept_columns.empty())) {
    return curves;
  }
  const double all = weights_of(probe.layers[layer]);
  const std::vector<std::int64_t>& bins =
      rounded->positions ? statistics.positions[*rounded->positions] : rounded->kept_columns;
  const auto count = static_cast<double>(bins.size());
  for (std::size_t i = 0; i < bins.size(); ++i) {
    curves.places.push_back((2.0 * static_cast<double>(i) + 1) / count - 1);
    if (rounded->positions) {
      curves.weights.push_back(static_cast<double>(bins[i]) / all);
    } else {
      curves.kept.push_back(static_cast<double>(bins[i]) * count / all);
    }
  }
  curves.levels = probe.options[option].levels;
  for (const std::int64_t uses : rounded->levels) {
    curves.uses.push_back(static_cast<double>(uses) / all);
  }
  return curves;
}

MeasuredQuant measured_quant(const std::vector<RunRow>& rows, const std::string& model) {
  const auto dense_of = [](const RunRow& row) {
    return row.last.at("eval/ppl") / (1 + row.last.at("compress/ppl_rise"));
  };
  const RunRow* newest = nullptr;
  for (const RunRow& row : rows) {
    if (measured_bits(row, model) && (newest == nullptr || row.created_ms > newest->created_ms)) {
      newest = &row;
    }
  }
  MeasuredQuant measured;
  if (newest == nullptr) {
    return measured;
  }
  measured.dense_perplexity = dense_of(*newest);
  for (const RunRow& row : rows) {
    if (!measured_bits(row, model) ||
        std::abs(dense_of(row) / measured.dense_perplexity - 1) >= kSameText) {
      continue;
    }
    const std::string name = row.name.substr(model.size() + 1);
    const auto bytes = row.last.find("model/stored_bytes");
    measured.points.push_back({.run = row.id,
                               .name = name,
                               .series = series_of(name),
                               .bits = row.last.at("compress/bits"),
                               .bytes = bytes == row.last.end() ? 0 : bytes->second,
                               .perplexity = row.last.at("eval/ppl")});
  }
  std::stable_sort(measured.points.begin(), measured.points.end(),
                   [](const MeasuredBits& a, const MeasuredBits& b) {
                     return a.series != b.series ? a.series < b.series : a.bits < b.bits;
                   });
  return measured;
}

const RunRow* quant_measurement_of(const std::vector<RunRow>& rows, const std::string& model,
                                   const Json& choice) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const RunRow& row) {
    return measured_bits(row, model) && row.spec != nullptr &&
           same_choice(row.spec->value("compress", Json()), choice);
  });
  return found == rows.end() ? nullptr : &*found;
}

}  // namespace lathe::ui
