// See quant_report.h.
#include "app/quant_report.h"

#include <fmt/core.h>

#include <algorithm>

#include "app/cli.h"
#include "app/compress_desk.h"
#include "app/table.h"
#include "engine/base/format.h"
#include "engine/lm/adapter_model.h"
#include "experiments/quant_probe.h"

namespace lathe::app {
namespace {

using namespace experiments;

constexpr std::string_view kAll = "all";

std::string percent(double share) {
  return fmt::format("{:.3g} %", 100 * share);
}

std::string bytes(double value) {
  return bytes_text(static_cast<std::int64_t>(value));
}

double outlier_share(const QuantLayer& layer) {
  return static_cast<double>(layer.statistics.outliers) / static_cast<double>(layer.out * layer.in);
}

// What stands beside the shape and the errors: why it stays, or what is kept beside the codes.
std::string remark_of(const QuantLayer& layer, const QuantOption& option, std::size_t place) {
  const auto& rounded = layer.statistics.types[place];
  if (!rounded) {
    return "stays: " + refusal_text(layer, option);
  }
  return option.outliers ? percent(static_cast<double>(rounded->kept) /
                                   static_cast<double>(layer.out * layer.in)) +
                               " kept beside the codes"
                         : "";
}

Json plan_json(const QuantProbe& probe, std::size_t option) {
  const QuantPlan plan = plan_quant(probe, option, "all");
  return {{"type", probe.options[option].name}, {"bits", plan.bits},
          {"bytes_before", plan.bytes_before},  {"bytes_after", plan.bytes_after},
          {"error_share", plan.error_share},    {"refused", plan.refused.size()}};
}

Json layer_json(const QuantLayer& layer, std::size_t option) {
  const auto& rounded = layer.statistics.types[option];
  Json json{{"name", layer.matrix},
            {"out", layer.out},
            {"in", layer.in},
            {"outliers", layer.statistics.outliers},
            {"largest_sigmas", layer.statistics.largest_sigmas}};
  if (rounded) {
    json["bytes"] = rounded->bytes;
    json["error_share"] = rounded->error_share;
    json["levels"] = rounded->levels;
    if (!rounded->kept_columns.empty()) {
      json["kept"] = rounded->kept;
      json["kept_columns"] = rounded->kept_columns;
    }
    if (rounded->positions) {
      json["positions"] = layer.statistics.positions[*rounded->positions];
    }
  }
  return json;
}

// Of a type among the options; of "all" the first.
Result<std::size_t> place_of(const std::string& type) {
  const std::vector<QuantOption> options = quant_options();
  std::string names(kAll);
  for (std::size_t i = 0; i < options.size(); ++i) {
    if (options[i].name == type || type == kAll) {
      return i;
    }
    names += ", " + options[i].name;
  }
  return Error{ErrorKind::kUsage, "there is no type " + type, "choose one of " + names};
}

void tell_types(const QuantProbe& probe, bool json) {
  Json types = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (std::size_t option = 0; option < probe.options.size(); ++option) {
    const QuantPlan plan = plan_quant(probe, option, "all");
    const bool any = plan.bits > 0;
    rows.push_back({probe.options[option].name, any ? fmt::format("{:.3g}", plan.bits) : "-",
                    bytes(plan.bytes_after), any ? percent(plan.error_share) : "-",
                    fmt::format("{}", plan.refused.size())});
    types.push_back(plan_json(probe, option));
  }
  if (json) {
    print_json(Json{{"file", probe.model}, {"types", types}}, 2);
    return;
  }
  fmt::print("{}", table_text({{"type"},
                               {"bits", true},
                               {"whole model", true},
                               {"error, mean", true},
                               {"stay as they are", true}},
                              rows));
}

void tell_layers(const QuantProbe& probe, std::size_t option, bool json) {
  const Json plan = plan_json(probe, option);
  if (json) {
    Json layers = Json::array();
    for (const QuantLayer& layer : probe.layers) {
      layers.push_back(layer_json(layer, option));
    }
    print_json(Json{{"file", probe.model}, {"plan", plan}, {"layers", layers}}, 2);
    return;
  }
  std::vector<std::vector<std::string>> rows;
  for (const QuantLayer& layer : probe.layers) {
    const auto& rounded = layer.statistics.types[option];
    rows.push_back({layer.matrix, fmt::format("{}x{}", layer.out, layer.in),
                    rounded ? bytes_text(rounded->bytes) : bytes(layer.kept_bytes),
                    rounded ? percent(rounded->error_share) : "-", percent(outlier_share(layer)),
                    fmt::format("{:.1f}", layer.statistics.largest_sigmas),
                    remark_of(layer, probe.options[option], option)});
  }
  fmt::print("{}", table_text({{"matrix"},
                               {"shape", true},
                               {"bytes", true},
                               {"error", true},
                               {"above 4 sigma", true},
                               {"largest, sigma", true},
                               {""}},
                              rows));
  fmt::print("{}: {:.3g} bits a weight, mean error {}, whole model {} of {} in f16\n",
             probe.options[option].name, plan["bits"].get<double>(),
             percent(plan["error_share"].get<double>()), bytes(plan["bytes_after"].get<double>()),
             bytes(plan["bytes_before"].get<double>()));
  if (probe.options[option].outliers) {
    fmt::print("no text was read: inputs were taken for equal, and calibration will lose less\n");
  }
}

}  // namespace

Result<void> report_quant(const std::filesystem::path& path, const std::string& type, bool json) {
  const auto option = place_of(type);
  if (!option) {
    return option.error();
  }
  const auto file = open_model_at(path);
  if (!file) {
    return file.error();
  }
  const auto probe = probe_quant(*file, path.string(), window_bytes_per_param(), {});
  if (!probe) {
    return probe.error();
  }
  if (type == kAll) {
    tell_types(*probe, json);
  } else {
    tell_layers(*probe, *option, json);
  }
  return {};
}

}  // namespace lathe::app
