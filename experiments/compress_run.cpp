// See compress_run.h.
#include "experiments/compress_run.h"

#include <fmt/core.h>

#include <filesystem>
#include <optional>

#include "engine/backend/failure.h"
#include "engine/compress/heldout.h"
#include "engine/compress/sensitivity.h"
#include "engine/lm/language_model.h"
#include "experiments/base_model.h"
#include "experiments/clock.h"
#include "experiments/ids.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kStep = 1;  // they have one moment
constexpr std::int64_t kWeighedTokens = 4096;
constexpr const char* kMemoryRemedy =
    "take fewer or shorter calibration samples, fewer layers (target), or a smaller model";

// "affine budget=0.8".
std::string title(const CompressSpec& spec, const std::string& model) {
  const auto options = rank_options(spec);
  return fmt::format("{} {}{} {}={:g}", model, enum_name(spec.solver),
                     spec.sequential ? " sequential" : "", enum_name(options->rule),
                     options->value);
}

class Compression {
 public:
  Compression(const CompressRequest& request, const CompressPorts& ports)
      : request_(request), ports_(ports) {}

  Result<std::vector<CompressOutcome>> run() {
    if (const Result<void> opened = open(); !opened) {
      return opened.error();
    }
    std::vector<CompressOutcome> outcomes;
    for (std::size_t i = 0; i < request_.points.size(); ++i) {
      run_ = new_id();
      const CompressSpec& spec = request_.points[i];
      announce(spec);
      auto outcome = guarded([&] { return point(spec); });
      if (!outcome) {
        return end_with(outcome.error());
      }
      ports_.sink->on_event(RunFinished{run_, RunState::kDone, kStep});
      outcomes.push_back(std::move(*outcome));
    }
    return outcomes;
  }

 private:
  template <typename Work>
  static auto guarded(Work&& work) -> decltype(work()) {
    try {
      return work();
    } catch (const std::exception& failure) {
      return error_of(failure, kMemoryRemedy);
    }
  }

  bool tell(double share, const std::string& what) const {
    return !ports_.progress || ports_.progress(run_, share, what);
  }
  CompressProgress progress(double from, double to) const {
    return [this, from, to](double share, const std::string& what) {
      return tell(from + (to - from) * share, what);
    };
  }

  Result<void> open() {
    for (const CompressSpec& spec : request_.points) {
      if (const auto options = rank_options(spec); !options) {
        return options.error();
      }
      if (spec.sequential && spec.solver != LordSolver::kAffine) {
        return Error{ErrorKind::kUsage,
                     fmt::format("sequential fits are affine, and solver={} is asked for",
                                 enum_name(spec.solver)),
                     "leave one of them out"};
      }
    }
    std::error_code failed;
    if (!request_.out.empty() && request_.points.size() > 1) {
      return Error{ErrorKind::kUsage,
                   fmt::format("{} models are asked for, and one place", request_.points.size()),
                   "give each list one value, or leave --out"};
    }
    if (!request_.out.empty() && fs::exists(request_.out, failed)) {
      return Error{ErrorKind::kUsage, request_.out + " exists already",
                   "name a folder that does not"};
    }
    const auto settled = settle_model({.from = request_.model});
    if (!settled) {
      return settled.error();
    }
    auto base = open_base_model(*settled);
    if (!base) {
      return base.error();
    }
    if (const Result<void> dense = check_is_dense(base->file); !dense) {
      return dense;
    }
    base_ = std::move(*base);
    hash_ = settled->from_hash;
    return {};
  }

  void announce(const CompressSpec& spec) {
    const ModelFile& file = base_->file;
    RunCreated created;
    created.run = run_;
    created.name = title(spec, file.path().stem().string());
    created.kind = "compress";
    created.spec = {{"name", created.name},
                    {"compress", to_json(spec)},
                    {"subject",
                     {{"name", file.path().stem().string()},
                      {"path", fs::absolute(file.path()).string()},
                      {"architecture", architecture_text(file.architecture(), file.config())},
                      {"parameters", file.parameters()},
                      {"hash", hash_}}}};
    ports_.sink->on_event(created);
    ports_.sink->on_event(RunStarted{.run = run_,
                                     .attempt = 1,
                                     .from_step = 0,
                                     .total_steps = kStep,
                                     .environment = ports_.environment,
                                     .data_digest = ""});
  }

  Error end_with(const Error& error) const {
    if (error.kind == ErrorKind::kInterrupted) {
      ports_.sink->on_event(RunFinished{run_, RunState::kStopped, 0});
    } else {
      ports_.sink->on_event(RunFailed{run_, 0, error});
    }
    return error;
  }

  // The decomposition of the last spec, where this one needs no other look.
  Result<void> look(const CompressSpec& spec) {
    if (looked_at_ && share_decomposition(*looked_at_, spec)) {
      return {};
    }
    decomposition_.reset();
    const auto text =
        open_corpus(spec.data, calibration_length(spec.calibration, base_->file.config()),
                    base_->encoding, progress(0, 0.05));
    if (!text) {
      return text.error();
    }
    text_ = *text;
    auto sequences = draw_sequences(*text_, base_->file.config(), spec.calibration);
    if (!sequences) {
      return sequences.error();
    }
    sequences_ = std::move(*sequences);
    const Stopwatch watch;
    auto decomposed =
        Decomposition::of(*ports_.backend, base_->file, sequences_, solver_options(spec),
                          target_types(spec.target), progress(0.05, 0.55));
    if (!decomposed) {
      return decomposed.error();
    }
    decomposition_ = std::move(*decomposed);
    if (spec.weigh) {
      const auto importance = output_sensitivity(*ports_.backend, base_->file, sequences_,
                                                 kWeighedTokens, progress(0.55, 0.6));
      if (!importance) {
        return importance.error();
      }
      decomposition_->set_importance(*importance);
    }
    look_secs_ = watch.secs();
    looked_at_ = spec;
    dense_.reset();
    return {};
  }

  Result<HeldoutLoss> measured(const ModelFile& model, const CompressSpec& spec, double from,
                               double to) const {
    return heldout_loss(*ports_.backend, model, *text_,
                        calibration_length(spec.calibration, base_->file.config()),
                        spec.heldout_windows, progress(from, to));
  }

  // Of the dense model, once for specs that measure alike.
  Result<double> dense_perplexity(const CompressSpec& spec) {
    if (!dense_ || dense_windows_ != spec.heldout_windows) {
      const auto loss = measured(base_->file, spec, 0.6, 0.7);
      if (!loss) {
        return loss.error();
      }
      dense_ = loss->perplexity;
      dense_windows_ = spec.heldout_windows;
    }
    return *dense_;
  }

  Result<ModelFile> factored(const CompressSpec& spec, const std::vector<RankVerdict>& ranks) {
    return spec.sequential ? decomposition_->sequentially(*ports_.backend, sequences_, ranks,
                                                          spec.ridge, progress(0.7, 0.8))
                           : decomposition_->with_ranks(ranks);
  }

  Result<CompressOutcome> point(const CompressSpec& spec) {
    if (const Result<void> looked = look(spec); !looked) {
      return looked.error();
    }
    auto ranks = decomposition_->choose(*rank_options(spec));
    if (!ranks) {
      return ranks.error();
    }
    CompressOutcome outcome;
    outcome.run = run_;
    outcome.spec = spec;
    outcome.layers = std::move(*ranks);
    outcome.notes = decomposition_->notes();
    const auto model = factored(spec, outcome.layers);
    if (!model) {
      return model.error();
    }
    const double bytes_per_param = static_cast<double>(size_bytes(request_.type, 256)) / 256;
    outcome.summary = summarise(
        outcome.layers, base_->file.parameters() - parameters_of(outcome.layers), bytes_per_param);
    if (const Result<void> told = measure(*model, outcome); !told) {
      return told.error();
    }
    if (const Result<void> written = write(*model, outcome); !written) {
      return written.error();
    }
    log(outcome);
    return outcome;
  }

  static std::int64_t parameters_of(const std::vector<RankVerdict>& layers) {
    std::int64_t sum = 0;
    for (const RankVerdict& layer : layers) {
      sum += layer.params_before;
    }
    return sum;
  }

  Result<void> measure(const ModelFile& model, CompressOutcome& outcome) {
    MetricBatch batch{.run = run_, .points = {}};
    const auto add = [&](const std::string& metric, double value) {
      batch.points.push_back({metric, kStep, value, unix_ms()});
      outcome.metrics[metric] = value;
    };
    const RankSummary& summary = outcome.summary;
    add("model/params", static_cast<double>(summary.params_after));
    add("model/stored_bytes", summary.bytes_after);
    add("compress/rank_cut", summary.rank_cut);
    add("compress/energy_kept", summary.energy_kept.value_or(1));
    add("compress/params_cut",
        1 - static_cast<double>(summary.params_after) / static_cast<double>(summary.params_before));
    add("compress/secs", look_secs_);
    if (outcome.spec.heldout_windows > 0) {
      const auto dense = dense_perplexity(outcome.spec);
      if (!dense) {
        return dense.error();
      }
      const auto loss = measured(model, outcome.spec, 0.8, 0.95);
      if (!loss) {
        return loss.error();
      }
      add("eval/loss", loss->loss);
      add("eval/ppl", loss->perplexity);
      add("eval/acc", loss->accuracy);
      add("compress/ppl_rise", loss->perplexity / *dense - 1);
    }
    ports_.sink->on_event(batch);
    return {};
  }

  Result<void> write(const ModelFile& model, CompressOutcome& outcome) {
    if (request_.out.empty()) {
      return {};
    }
    ExportRequest wanted{.format = request_.format,
                         .type = request_.type,
                         .factors = request_.factors,
                         .out = request_.out,
                         .name = base_->file.path().stem().string()};
    wanted.text_of = &base_->file;
    wanted.record = {{"run", run_},
                     {"name", title(outcome.spec, wanted.name)},
                     {"metrics", outcome.metrics},
                     {"spec", to_json(outcome.spec)}};
    wanted.progress = progress(0.95, 1);
    const auto report = export_model(*ports_.backend, model, model.plans(), wanted);
    if (!report) {
      return report.error();
    }
    outcome.exported = {{"out", request_.out},
                        {"bytes", report->bytes},
                        {"max_difference", report->max_difference},
                        {"max_change", report->max_change},
                        {"merged", report->merged_slots},
                        {"tokenizer", report->tokenizer}};
    return {};
  }

  // What a reader of the record wants to know beside the numbers.
  void log(const CompressOutcome& outcome) const {
    const auto line = [&](LogLevel level, const std::string& text) {
      ports_.sink->on_event(LogLine{run_, level, text, unix_ms()});
    };
    line(LogLevel::kInfo, outcome.summary.text());
    for (const RankVerdict& layer : outcome.layers) {
      if (layer.rank == 0) {
        line(LogLevel::kInfo, layer.name + " stays dense: " + layer.reason);
      }
    }
    for (const std::string& note : outcome.notes) {
      line(LogLevel::kWarning, note);
    }
  }

  const CompressRequest& request_;
  const CompressPorts& ports_;
  RunId run_;
  std::optional<BaseModel> base_;
  std::string hash_;
  std::optional<CompressSpec> looked_at_;
  std::shared_ptr<const TokenSource> text_;
  CalibrationSequences sequences_;
  std::optional<Decomposition> decomposition_;
  double look_secs_ = 0;
  std::optional<double> dense_;  // perplexity
  std::int64_t dense_windows_ = 0;
};

}  // namespace

Result<std::vector<CompressOutcome>> run_compress(const CompressRequest& request,
                                                  const CompressPorts& ports) {
  CHECK(!request.points.empty(), "there is something to do");
  return Compression(request, ports).run();
}

}  // namespace lathe::experiments
