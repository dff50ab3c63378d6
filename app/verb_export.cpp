// lathe export: a run's metrics as CSV or JSON lines, its newest checkpoint as a folder, the memory
// of one of its steps as a trace; a model's weights for other programs, proved before they get
// their name.
#include <fmt/core.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "app/cli.h"
#include "app/logits_export.h"
#include "app/signal_watch.h"
#include "app/verb_list.h"
#include "app/weights_export.h"
#include "engine/base/atomic_file.h"
#include "experiments/memory_trace.h"

namespace lathe::app {
namespace {

namespace fs = std::filesystem;

struct ExportOptions {
  std::string run;
  std::string format = "csv";
  std::string dtype = "f16";
  std::string out;
  std::string data;
  bool last_only = false;
  bool keep_factors = false;
};

// NaN and infinities are spelled alike in both directions.
std::string value_text(double value) {
  if (std::isnan(value)) {
    return "NaN";
  }
  if (std::isinf(value)) {
    return value > 0 ? "Infinity" : "-Infinity";
  }
  return fmt::format("{}", value);
}

std::string line_of(const storage::RunDetail& run, const experiments::MetricPoint& point,
                    bool csv) {
  if (csv) {
    return fmt::format("{},{},{},{},{}\n", run.summary.id, point.metric, point.step,
                       value_text(point.value), point.time_ms);
  }
  const bool finite = std::isfinite(point.value);
  const Json value = finite ? Json(point.value) : Json(value_text(point.value));
  return json_text(Json{{"run", run.summary.id},
                        {"metric", point.metric},
                        {"step", point.step},
                        {"value", value},
                        {"time_ms", point.time_ms}}) +
         "\n";
}

Result<std::int64_t> write_metrics(storage::RunCatalog& catalog, const storage::RunDetail& run,
                                   const ExportOptions& chosen) {
  const bool csv = chosen.format == "csv";
  const std::string partial = chosen.out + ".partial";
  std::ofstream file(partial, std::ios::binary);
  file << (csv ? "run,metric,step,value,time_ms\n" : "");
  std::int64_t lines = 0;
  for (const std::string& metric : run.metrics) {
    const auto points = catalog.points(run.summary.id, metric);
    if (!points) {
      return points.error();
    }
    for (const experiments::MetricPoint& point : *points) {
      file << line_of(run, point, csv);
      ++lines;
    }
  }
  file.close();
  std::error_code failed;
  if (!file.fail()) {
    fs::rename(partial, chosen.out, failed);
  }
  if (file.fail() || failed) {
    fs::remove(partial, failed);
    return Error{ErrorKind::kDisk, "cannot write " + chosen.out,
                 "name a file in a folder that exists and has room"};
  }
  return lines;
}

Result<std::int64_t> copy_checkpoint(const storage::RunDetail& run, const ExportOptions& chosen) {
  if (run.checkpoints.empty()) {
    return Error{ErrorKind::kData, "run " + run.summary.id + " has no checkpoint",
                 "export --format csv gives its metrics; a run leaves a checkpoint at its end"};
  }
  std::error_code failed;
  if (fs::exists(chosen.out, failed)) {
    return Error{ErrorKind::kUsage, chosen.out + " exists already", "name a folder that does not"};
  }
  const fs::path partial = chosen.out + ".partial";
  fs::remove_all(partial, failed);
  fs::copy(run.checkpoints.back().path, partial, fs::copy_options::recursive, failed);
  if (!failed) {
    fs::rename(partial, chosen.out, failed);
  }
  if (failed) {
    const std::string reason = failed.message();
    fs::remove_all(partial, failed);
    return Error{
        ErrorKind::kDisk,
        fmt::format("cannot copy {} to {}: {}", run.checkpoints.back().path, chosen.out, reason),
        "name a folder on a disk that has room"};
  }
  return run.checkpoints.back().step;
}

void print_report(const ExportOptions& chosen, const ExportReport& report) {
  for (const std::string& fallback : report.fallbacks) {
    fmt::print(stderr, "another type: {}\n", fallback);
  }
  for (const Reencoded& types : report.reencoded) {
    fmt::print(stderr, "{}\n", reencoded_text(types));
  }
  if (!report.merged_slots.empty()) {
    fmt::print(stderr,
               "{} factored matrices were multiplied out; the size gain is lost (hf keeps it with "
               "--keep-factors)\n",
               report.merged_slots.size());
  }
  fmt::print(
      "{}: {} bytes of weights, tokenizer {}\nread back: logits differ by {:.3g} from what the "
      "rounded weights give, by {:.3g} (KL {:.3g} nats, same first choice {:.0f} %) from the "
      "model's own\n",
      chosen.out, report.bytes, report.tokenizer, report.max_difference, report.max_change,
      report.mean_kl, 100 * report.argmax_agreement);
}

Result<void> export_weights_of(const GlobalOptions& options, const ExportOptions& chosen) {
  const WeightsExport wanted{
      .model = chosen.run,
      .format = chosen.format,
      .dtype = chosen.dtype,
      .out = chosen.out,
      .factors = chosen.keep_factors ? Factors::kKeep : Factors::kMultiplyOut};
  std::atomic<bool> cancelled = false;
  const SignalWatch signals([&](int) { cancelled = true; });
  const auto report =
      export_weights(options, wanted, [&](double, const std::string&) { return !cancelled; });
  if (!report) {
    return report.error();
  }
  if (options.json) {
    print_json(report_json(wanted, *report));
  } else {
    print_report(chosen, *report);
  }
  return {};
}

Result<void> export_logits_of(const GlobalOptions& options, const ExportOptions& chosen) {
  if (chosen.data.empty()) {
    return Error{
        ErrorKind::kUsage, "--format logits needs --data",
        "name a file of rows {\"ids\": [...]}, {\"text\": \"...\"} or {\"messages\": [...]}"};
  }
  std::atomic<bool> cancelled = false;
  const SignalWatch signals([&](int) { cancelled = true; });
  const auto report = export_logits(
      options, chosen.run, {.data = chosen.data, .out = chosen.out, .last_only = chosen.last_only},
      [&](std::int64_t, std::int64_t) { return !cancelled; });
  if (!report) {
    return report.error();
  }
  if (options.json) {
    print_json(Json{{"model", chosen.run},
                    {"format", chosen.format},
                    {"out", chosen.out},
                    {"sequences", report->sequences},
                    {"tokens", report->tokens},
                    {"bytes", report->bytes}});
  } else {
    fmt::print("{}: logits of {} sequences, {} tokens\n", chosen.out, report->sequences,
               report->tokens);
  }
  return {};
}

Result<void> export_trace(storage::RunCatalog& catalog, const GlobalOptions& options,
                          const ExportOptions& chosen) {
  const auto run = catalog.run(chosen.run);
  if (!run) {
    return run.error();
  }
  const auto profile = catalog.memory_profile(run->summary.id);
  if (!profile) {
    return profile.error();
  }
  const Result<void> written =
      write_file_atomically(chosen.out, experiments::memory_trace(*profile));
  if (!written) {
    return written.error();
  }
  const std::size_t events = profile->time_line.size();
  if (options.json) {
    print_json(Json{{"run", run->summary.id},
                    {"format", chosen.format},
                    {"out", chosen.out},
                    {"step", profile->step},
                    {"events", events}});
  } else {
    fmt::print("{}: {} allocations and releases of step {}; open it in Perfetto\n", chosen.out,
               events, profile->step);
  }
  return {};
}

Result<void> export_run(storage::RunCatalog& catalog, const GlobalOptions& options,
                        const ExportOptions& chosen) {
  const auto run = catalog.run(chosen.run);
  if (!run) {
    return run.error();
  }
  const bool native = chosen.format == "native";
  const auto written =
      native ? copy_checkpoint(*run, chosen) : write_metrics(catalog, *run, chosen);
  if (!written) {
    return written.error();
  }
  if (options.json) {
    print_json(Json{{"run", run->summary.id},
                    {"format", chosen.format},
                    {"out", chosen.out},
                    {native ? "step" : "points", *written}});
  } else {
    fmt::print("{}: {} {}\n", chosen.out,
               native ? "checkpoint of step" : "points written:", *written);
  }
  return {};
}

}  // namespace

void add_export(CLI::App& root, Cli& cli) {
  const auto chosen = std::make_shared<ExportOptions>();
  CLI::App* verb = add_verb(
      root, cli, "export",
      "A run's metrics or checkpoint, or a model's weights, for other programs", [&cli, chosen] {
        if (chosen->format == "gguf" || chosen->format == "hf" || chosen->format == "peft") {
          const Result<void> done = export_weights_of(cli.options, *chosen);
          return done ? 0 : report_error(done.error(), cli.options);
        }
        if (chosen->format == "logits") {
          const Result<void> done = export_logits_of(cli.options, *chosen);
          return done ? 0 : report_error(done.error(), cli.options);
        }
        return with_catalog(cli.options, [&](storage::RunCatalog& catalog) {
          return chosen->format == "trace" ? export_trace(catalog, cli.options, *chosen)
                                           : export_run(catalog, cli.options, *chosen);
        });
      });
  verb->add_option("run", chosen->run,
                   "a run: id, unique beginning or name; for gguf and hf also a model's file or "
                   "folder, an installed model, or the folder of a checkpoint")
      ->required();
  verb->add_option("--format", chosen->format,
                   "csv or jsonl: every metric point; native: the newest checkpoint's folder; "
                   "gguf or hf: weights and tokenizer, of a run its newest checkpoint's; peft: a "
                   "run's adapters alone, f32, for its base; logits: a model's, on --data, as "
                   "safetensors; trace: the memory of a step, tensor by tensor, for Perfetto and "
                   "Chrome's trace viewer")
      ->check(CLI::IsMember({"csv", "jsonl", "native", "gguf", "hf", "peft", "logits", "trace"}))
      ->capture_default_str();
  verb->add_option("--dtype", chosen->dtype,
                   std::string("of the weights in gguf and hf: ") + kExportTypes)
      ->capture_default_str();
  verb->add_flag("--keep-factors,--packed", chosen->keep_factors,
                 "hf: layers of two factors stay two, with a modelling file for transformers, and "
                 "matrices in few bits stay as they are packed; otherwise all are dense");
  verb->add_option(
      "--data", chosen->data,
      "logits: JSON lines of {\"ids\": [...]}, {\"text\": \"...\"} or {\"messages\": [...]}");
  verb->add_flag("--last", chosen->last_only, "logits: of the last position of each row alone");
  verb->add_option("-o,--out", chosen->out, "file or folder to write")->required();
}

}  // namespace lathe::app
