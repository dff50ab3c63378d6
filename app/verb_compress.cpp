// lathe compress MODEL [key=value ...] [-o OUT]: decomposes the linear layers of a model, stores
// them in fewer bits, or both; each choice is recorded as a run of kind "compress".
#include <fmt/core.h>

#include "app/table.h"
#include "app/verb_list.h"
#include "app/workplace.h"
#include "engine/base/format.h"
#include "experiments/compress_run.h"
#include "experiments/device.h"
#include "experiments/settings.h"

namespace lathe::app {
namespace {

using namespace experiments;

struct CompressOptions {
  std::string model;
  std::vector<std::string> settings;
  std::string out;
  std::string format = "hf";
  std::string dtype = "f16";
  bool multiply_out = false;
  bool layers = false;
};

Result<CompressRequest> request_of(const CompressOptions& chosen) {
  auto points = points_from_settings<CompressSpec>(chosen.settings);
  if (!points) {
    return points.error();
  }
  const auto type = stored_type_of_name(chosen.dtype);
  const bool gguf = chosen.format == "gguf";
  const ModelFormat format = gguf ? ModelFormat::kGguf : ModelFormat::kHuggingFace;
  if (!type || !can_export(format, *type)) {
    return Error{ErrorKind::kUsage,
                 fmt::format("there is no type {} in {}", chosen.dtype, chosen.format),
                 "choose f32, f16 or bf16; in gguf also q8_0, q4_0, q4_1 or q6_k"};
  }
  return CompressRequest{
      .model = chosen.model,
      .points = std::move(*points),
      .out = chosen.out,
      .type = *type,
      .factors = chosen.multiply_out || gguf ? Factors::kMultiplyOut : Factors::kKeep,
      .format = format};
}

Json layers_json(const std::vector<RankVerdict>& layers) {
  Json list = Json::array();
  for (const RankVerdict& layer : layers) {
    list.push_back({{"name", layer.name},
                    {"out", layer.out},
                    {"in", layer.in},
                    {"rank", layer.rank},
                    {"params_before", layer.params_before},
                    {"params_after", layer.params_after},
                    {"error_share", layer.error_share ? Json(*layer.error_share) : Json()},
                    {"reason", layer.reason}});
  }
  return list;
}

Json stored_json(const std::vector<StoredLayer>& layers) {
  Json list = Json::array();
  for (const StoredLayer& layer : layers) {
    list.push_back({{"name", layer.name},
                    {"out", layer.out},
                    {"in", layer.in},
                    {"bytes", layer.bytes},
                    {"outliers", layer.outliers},
                    {"error_share", layer.error_share}});
  }
  return list;
}

Json outcome_json(const CompressOutcome& outcome) {
  const RankSummary& summary = outcome.summary;
  return {{"run", outcome.run},
          {"spec", to_json(outcome.spec)},
          {"factored", summary.factored},
          {"rank_cut", summary.rank_cut},
          {"params_before", summary.params_before},
          {"params_after", summary.params_after},
          {"bytes_before", summary.bytes_before},
          {"bytes_after", summary.bytes_after},
          {"metrics", outcome.metrics},
          {"notes", outcome.notes},
          {"exported", outcome.exported},
          {"layers", layers_json(outcome.layers)},
          {"stored", stored_json(outcome.stored)}};
}

std::string type_text(const CompressSpec& spec) {
  return spec.quant.type == QuantType::kNone ? "-" : stored_text(spec.quant);
}

std::string rank_rule_text(const CompressSpec& spec) {
  if (!spec.decompose) {
    return "-";
  }
  const auto options = rank_options(spec);
  return fmt::format("{} {:g}", enum_name(options->rule), options->value);
}

void print_layers(const CompressOutcome& outcome) {
  std::vector<std::vector<std::string>> rows;
  for (const RankVerdict& layer : outcome.layers) {
    rows.push_back({layer.name, fmt::format("{}x{}", layer.out, layer.in),
                    layer.rank > 0 ? fmt::format("{}", layer.rank) : "dense",
                    fmt::format("{:.3f}", static_cast<double>(layer.params_after) /
                                              static_cast<double>(layer.params_before)),
                    layer.error_share ? fmt::format("{:.3g}", *layer.error_share) : "-",
                    layer.reason});
  }
  fmt::print(
      "{}",
      table_text(
          {{"layer"}, {"shape", true}, {"rank", true}, {"params", true}, {"lost", true}, {"why"}},
          rows));
}

void print_stored(const CompressOutcome& outcome) {
  if (outcome.stored.empty()) {
    return;
  }
  std::vector<std::vector<std::string>> rows;
  for (const StoredLayer& layer : outcome.stored) {
    rows.push_back({layer.name, fmt::format("{}x{}", layer.out, layer.in), bytes_text(layer.bytes),
                    fmt::format("{:.3g}", layer.error_share)});
  }
  fmt::print("{}",
             table_text({{"matrix"}, {"shape", true}, {"bytes", true}, {"lost", true}}, rows));
}

void print_outcomes(const std::vector<CompressOutcome>& outcomes) {
  std::vector<std::vector<std::string>> rows;
  for (const CompressOutcome& outcome : outcomes) {
    const RankSummary& summary = outcome.summary;
    const auto metric = [&](const char* name, double factor, const char* unit) {
      return outcome.metrics.contains(name)
                 ? fmt::format("{:.4g}{}", factor * outcome.metrics[name].get<double>(), unit)
                 : std::string("-");
    };
    rows.push_back(
        {outcome.run, outcome.spec.decompose ? std::string(enum_name(outcome.spec.solver)) : "-",
         rank_rule_text(outcome.spec), fmt::format("{}/{}", summary.factored, summary.layers),
         fmt::format("{:.2f} %", 100 * summary.rank_cut), type_text(outcome.spec),
         metric("compress/bits", 1, ""), count_text(static_cast<double>(summary.params_after)),
         bytes_text(static_cast<std::int64_t>(summary.bytes_after)), metric("eval/ppl", 1, ""),
         metric("compress/ppl_rise", 100, " %")});
  }
  fmt::print("{}", table_text({{"run"},
                               {"solver"},
                               {"ranks"},
                               {"factored", true},
                               {"rank cut", true},
                               {"stored"},
                               {"bits", true},
                               {"params", true},
                               {"bytes", true},
                               {"held-out ppl", true},
                               {"rise", true}},
                              rows));
}

void print_export(const CompressOutcome& outcome) {
  fmt::print("{}\n", summary_text(outcome));
  if (!outcome.exported.empty()) {
    fmt::print(
        "{}: {} of weights, tokenizer {}\nread back: logits differ by {:.3g} from what the "
        "rounded weights give, by {:.3g} from the model's own\n",
        outcome.exported["out"].get<std::string>(),
        bytes_text(outcome.exported["bytes"].get<std::int64_t>()),
        outcome.exported["tokenizer"].get<std::string>(),
        outcome.exported["max_difference"].get<double>(),
        outcome.exported["max_change"].get<double>());
  }
}

void print_all(const std::vector<CompressOutcome>& outcomes, const CompressOptions& chosen,
               const GlobalOptions& options) {
  if (options.json) {
    for (const CompressOutcome& outcome : outcomes) {
      print_json(Json{{"event", "result"}, {"compress", outcome_json(outcome)}});
    }
    return;
  }
  if (chosen.layers) {
    for (const CompressOutcome& outcome : outcomes) {
      print_layers(outcome);
      print_stored(outcome);
    }
  }
  print_outcomes(outcomes);
  if (outcomes.size() == 1) {
    print_export(outcomes.front());
  }
}

int compress_model(const GlobalOptions& options, const CompressOptions& chosen) {
  const auto request = request_of(chosen);
  if (!request) {
    return report_error(request.error(), options);
  }
  const auto device = resolve_device(options.device);
  if (!device) {
    return report_error(device.error(), options);
  }
  const auto backend = make_backend(*device, options.threads);
  if (!backend) {
    return report_error(backend.error(), options);
  }
  const auto opened = Workplace::open(options);
  if (!opened) {
    return report_error(opened.error(), options);
  }
  Workplace& place = **opened;
  CompressPorts ports;
  ports.sink = place.ports().sink;
  ports.backend = backend->get();
  ports.environment = place.ports().environment;
  ports.progress = [&](const RunId& run, double share, const std::string& what) {
    ports.sink->on_event(Preparing{run, share, what});
    return place.ports().control->stop_kind() == StopKind::kNone;
  };
  const auto outcomes = run_compress(*request, ports);
  if (!outcomes) {
    const int code = place.finish_with(outcomes.error());
    return outcomes.error().kind == ErrorKind::kInterrupted ? place.signal_exit_code() : code;
  }
  if (const Result<void> written = place.flush(); !written) {
    return report_error(written.error(), options);
  }
  print_all(*outcomes, chosen, options);
  return 0;
}

std::string settings_help() {
  std::vector<ParamInfo> params;
  append_params<CompressSpec>("", params);
  std::string text = "settings (key=value; lists, budget=0.9,0.8, where swept):\n";
  for (const ParamInfo& param : params) {
    text += fmt::format("  {:<24} {} [{}]\n", param.path, param.help, param.default_text);
  }
  return text;
}

}  // namespace

void add_compress(CLI::App& root, Cli& cli) {
  const auto chosen = std::make_shared<CompressOptions>();
  CLI::App* verb = add_verb(root, cli, "compress",
                            "Make a model smaller: layers into two factors, fewer bits, or both",
                            [&cli, chosen] { return compress_model(cli.options, *chosen); });
  verb->add_option("model", chosen->model,
                   "a .gguf file, a Hugging Face or adapter's folder, or an installed model (lathe "
                   "ls models)")
      ->required();
  verb->add_option("settings", chosen->settings, "key=value, e.g. budget=0.8 solver=lord");
  verb->add_option("-o,--out", chosen->out, "folder (or .gguf file) to write; must not exist");
  verb->add_option("--format", chosen->format, "hf keeps the factors; gguf multiplies them out")
      ->check(CLI::IsMember({"hf", "gguf"}))
      ->capture_default_str();
  verb->add_option("--dtype", chosen->dtype, "of the weights written, and of the bytes told")
      ->capture_default_str();
  verb->add_flag("--multiply-out", chosen->multiply_out,
                 "hf: dense matrices that any program reads; the size gain is lost");
  verb->add_flag("--layers", chosen->layers, "print each layer's rank and what it loses");
  verb->footer(settings_help());
}

}  // namespace lathe::app
