// See spectrum_view.h.
#include "ui/model/spectrum_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/format.h"

namespace lathe::ui {

namespace ex = lathe::experiments;

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kDecayShare = 0.99;
// Perplexities of the dense model that differ by less are of the same text.
constexpr double kSameText = 1e-6;

double value_of(const ex::SpectrumLayer& layer, const RankVerdict* verdict, HeatKind kind) {
  const auto side = static_cast<double>(std::min(layer.slot.in, layer.slot.out));
  if (kind == HeatKind::kDecay) {
    return static_cast<double>(directions_keeping(layer.spectrum, kDecayShare)) / side;
  }
  if (verdict == nullptr) {
    return kNone;
  }
  if (kind == HeatKind::kRank) {
    return verdict->rank > 0 ? static_cast<double>(verdict->rank) / side : 1;
  }
  return 1 - verdict->error_share.value_or(0);
}

double lowest_color(const std::vector<double>& values) {
  double least = 1;
  for (const double value : values) {
    least = std::isnan(value) ? least : std::min(least, value);
  }
  for (const double step : {0.99, 0.95, 0.9, 0.8, 0.5}) {
    if (least >= step) {
      return step;
    }
  }
  return 0;
}

// Whether a run chose no ranks, but fewer bits alone.
bool only_rounds(const RunRow& row) {
  return row.last.contains("compress/bits") && !row.last.contains("compress/rank_cut");
}

// Whether a run measured ranks of that model.
bool measured_ranks(const RunRow& row, const std::string& model) {
  return row.kind == "compress" && row.state == RunState::kDone && !row.trashed &&
         row.name.starts_with(model + " ") && row.last.contains("eval/ppl") &&
         row.last.contains("compress/ppl_rise") && !only_rounds(row);
}

// The number that a person sees beside the slider, not the float that is nearest.
double shown(float value) {
  return std::stod(fmt::format("{:.3f}", value));
}

}  // namespace

Json look_of(const SpectrumForm& form) {
  Json spec = {{"solver", kSolvers[static_cast<std::size_t>(form.solver)].id},
               {"target", kTargets[static_cast<std::size_t>(form.target)]},
               {"calibration", {{"samples", form.samples}, {"seq_len", form.seq_len}}}};
  if (!form.data.empty()) {
    spec["data"] = {{"path", form.data}};
  }
  return spec;
}

Json choice_of(const SpectrumForm& form, const ModelSpectrum& spectrum) {
  Json spec = spectrum.spec;
  const auto rule = static_cast<std::size_t>(form.rule);
  for (const RankRuleChoice& other : kRankRules) {
    spec[other.id] = 0;
  }
  spec["rank"] = 0;
  spec[kRankRules[rule].id] = shown(form.values[rule]);
  spec["multiple"] = kMultiples[static_cast<std::size_t>(form.multiple)];
  spec["heldout_windows"] = form.windows;
  return spec;
}

Json search_of(const SpectrumForm& form, const ModelSpectrum& spectrum, double max_rise) {
  Json spec = choice_of(form, spectrum);
  const char* rule = kRankRules[static_cast<std::size_t>(form.rule)].id;
  spec[rule] = 0;
  spec["along"] = rule;
  spec["max_rise"] = max_rise;
  return spec;
}

void take_found(SpectrumForm& form, const Json& spec) {
  for (std::size_t i = 0; i < kRankRules.size(); ++i) {
    const double share = spec.value(kRankRules[i].id, 0.0);
    if (share > 0) {
      form.rule = static_cast<int>(i);
      form.values[i] = static_cast<float>(share);
    }
  }
}

std::string look_text(const ModelSpectrum& spectrum) {
  const Json& spec = spectrum.spec;
  const Json calibration = spec.value("calibration", Json::object());
  const int length = calibration.value("seq_len", 0);
  return fmt::format("{} on {} x {} tokens of {}, {} layers, {}", spec.value("solver", ""),
                     calibration.value("samples", 0),
                     length == 0 ? std::string("up to 512") : std::to_string(length),
                     spec.value("data", Json::object()).value("path", ""), spec.value("target", ""),
                     duration_text(spectrum.look_secs));
}

std::int64_t directions_keeping(const LayerSpectrum& spectrum, double share) {
  const double allowed = (1 - share) * spectrum.energy();
  const auto first = std::find_if(spectrum.errors.begin(), spectrum.errors.end(),
                                  [&](double error) { return error <= allowed; });
  return std::min<std::int64_t>(first - spectrum.errors.begin(), spectrum.full_rank());
}

HeatMap heat_map(const ModelSpectrum& spectrum, const ex::RankPlan* plan, HeatKind kind) {
  std::vector<std::string> names;
  for (const ex::SpectrumLayer& layer : spectrum.layers) {
    names.push_back(layer.slot.name);
  }
  HeatMap map = empty_map(names, spectrum.blocks);
  for (std::size_t cell = 0; cell < map.layers.size(); ++cell) {
    if (map.layers[cell] < 0) {
      continue;
    }
    const auto layer = static_cast<std::size_t>(map.layers[cell]);
    const RankVerdict* verdict = plan == nullptr ? nullptr : &plan->layers[layer];
    map.values[cell] = value_of(spectrum.layers[layer], verdict, kind);
    map.struck[cell] = kind != HeatKind::kDecay && verdict != nullptr && verdict->rank == 0;
  }
  map.lowest = kind == HeatKind::kKept ? lowest_color(map.values) : 0;
  return map;
}

std::vector<std::string> layer_lines(const ModelSpectrum& spectrum, const ex::RankPlan* plan,
                                     std::size_t layer) {
  const ex::SpectrumLayer& known = spectrum.layers[layer];
  const std::int64_t full = std::min(known.slot.in, known.slot.out);
  std::vector<std::string> lines{
      known.slot.name, fmt::format("{} x {}, break-even at rank {}", known.slot.out, known.slot.in,
                                   known.slot.break_even_rank())};
  lines.push_back(fmt::format("{} of {} directions keep 99 % of the energy",
                              directions_keeping(known.spectrum, kDecayShare), full));
  if (plan == nullptr) {
    return lines;
  }
  const RankVerdict& verdict = plan->layers[layer];
  const double error = verdict.error_share.value_or(0);
  const std::string params = count_text(static_cast<double>(verdict.params_before));
  if (verdict.rank == 0) {
    lines.push_back("stays dense, " + params + " parameters");
    lines.push_back(verdict.reason);
    return lines;
  }
  lines.push_back(fmt::format("rank {} of {}", verdict.rank, full));
  lines.push_back(
      fmt::format("keeps {} of the energy, error {}", share_text(1 - error), share_text(error)));
  lines.push_back(fmt::format("{} -> {} parameters ({})", params,
                              count_text(static_cast<double>(verdict.params_after)),
                              change_text(static_cast<double>(verdict.params_before),
                                          static_cast<double>(verdict.params_after))));
  return lines;
}

std::vector<double> singular_values(const LayerSpectrum& spectrum) {
  std::vector<double> out;
  for (const double square : spectrum.values) {
    if (square > 0) {
      out.push_back(std::sqrt(square));
    }
  }
  return out;
}

MeasuredPoints measured_points(const std::vector<RunRow>& rows, const std::string& model) {
  struct Candidate {
    const RunRow* row;
    double perplexity;
    double dense;
  };
  std::vector<Candidate> all;
  for (const RunRow& row : rows) {
    if (!measured_ranks(row, model)) {
      continue;
    }
    const double perplexity = row.last.at("eval/ppl");
    all.push_back({&row, perplexity, perplexity / (1 + row.last.at("compress/ppl_rise"))});
  }
  const auto newest = std::max_element(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.row->created_ms < b.row->created_ms;
  });
  MeasuredPoints measured;
  if (newest == all.end()) {
    return measured;
  }
  measured.dense_perplexity = newest->dense;
  for (const Candidate& one : all) {
    const auto params = one.row->last.find("model/params");
    const bool same = std::abs(one.dense / newest->dense - 1) < kSameText;
    if (same && params != one.row->last.end()) {
      measured.points.push_back(
          {one.row->id, one.row->name.substr(model.size() + 1), params->second, one.perplexity});
    }
  }
  std::stable_sort(measured.points.begin(), measured.points.end(),
                   [](const auto& a, const auto& b) { return a.params < b.params; });
  return measured;
}

const RunRow* measurement_of(const std::vector<RunRow>& rows, const std::string& model,
                             const Json& choice) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const RunRow& row) {
    return measured_ranks(row, model) && row.spec != nullptr &&
           row.spec->value("compress", Json()) == choice;
  });
  return found == rows.end() ? nullptr : &*found;
}

std::string change_text(double before, double after) {
  if (before == 0 || before == after) {
    return "0 %";
  }
  return fmt::format("{:+.2f} %", 100 * (after / before - 1));
}

std::string share_text(double share) {
  return fmt::format("{:.2f} %", 100 * share);
}

}  // namespace lathe::ui
