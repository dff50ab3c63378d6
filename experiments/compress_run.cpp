// See compress_run.h.
#include "experiments/compress_run.h"

#include <fmt/core.h>

#include <filesystem>
#include <limits>
#include <map>

#include "engine/backend/failure.h"
#include "engine/base/format.h"
#include "engine/lm/language_model.h"
#include "experiments/clock.h"
#include "experiments/compress_search.h"
#include "experiments/ids.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kStep = 1;  // they have one moment
constexpr const char* kMemoryRemedy =
    "take fewer or shorter calibration samples, fewer layers (target), or a smaller model";

// "affine budget=0.8".
std::string title(const CompressSpec& spec, const std::string& model) {
  const auto options = rank_options(spec);
  const std::string rule(enum_name(options->rule));
  return fmt::format("{} {}{} {}", model, enum_name(spec.solver),
                     spec.sequential ? " sequential" : "",
                     spec.max_rise > 0 ? fmt::format("{} to +{:g} %", rule, 100 * spec.max_rise)
                                       : fmt::format("{}={:g}", rule, options->value));
}

// What makes no sense, before anything is read.
Result<void> check(const CompressRequest& request) {
  for (const CompressSpec& spec : request.points) {
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
  if (!request.out.empty() && request.points.size() > 1) {
    return Error{ErrorKind::kUsage,
                 fmt::format("{} models are asked for, and one place", request.points.size()),
                 "give each list one value, or leave --out"};
  }
  if (!request.out.empty() && fs::exists(request.out, failed)) {
    return Error{ErrorKind::kUsage, request.out + " exists already", "name a folder that does not"};
  }
  return {};
}

class Compression {
 public:
  Compression(CompressSession& session, const CompressRequest& request, const CompressPorts& ports)
      : session_(session), request_(request), ports_(ports) {}

  Result<std::vector<CompressOutcome>> run() {
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

  CompressProgress progress(double from, double to) const {
    return part_of(
        [this](double share, const std::string& what) {
          return !ports_.progress || ports_.progress(run_, share, what);
        },
        from, to);
  }

  void announce(const CompressSpec& spec) {
    const ModelFile& file = session_.file();
    RunCreated created;
    created.run = run_;
    created.name = title(spec, session_.name());
    created.kind = "compress";
    created.spec = {{"name", created.name},
                    {"compress", to_json(spec)},
                    {"subject",
                     {{"name", session_.name()},
                      {"path", fs::absolute(file.path()).string()},
                      {"architecture", architecture_text(file.architecture(), file.config())},
                      {"parameters", file.parameters()},
                      {"hash", session_.hash()}}}};
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

  Result<CompressOutcome> point(const CompressSpec& spec) {
    if (const Result<void> looked = session_.look(spec, progress(0, 0.6)); !looked) {
      return looked.error();
    }
    CompressOutcome outcome;
    outcome.run = run_;
    outcome.spec = spec;
    if (spec.max_rise > 0) {
      const auto share = least_share(spec.max_rise, [&](double at) { return rise_at(spec, at); });
      if (!share) {
        return share.error();
      }
      outcome.spec = with_share(spec, *share);
    }
    auto plan = plan_of(outcome.spec);
    if (!plan) {
      return plan.error();
    }
    outcome.layers = std::move(plan->layers);
    outcome.summary = plan->summary;
    outcome.notes = session_.spectrum()->notes;
    const auto model = session_.with_ranks(outcome.spec, outcome.layers, progress(0.7, 0.8));
    if (!model) {
      return model.error();
    }
    if (const Result<void> told = measure(*model, outcome); !told) {
      return told.error();
    }
    if (const Result<void> written = write(*model, outcome); !written) {
      return written.error();
    }
    log(outcome);
    return outcome;
  }

  Result<RankPlan> plan_of(const CompressSpec& spec) const {
    const double bytes_per_param = static_cast<double>(size_bytes(request_.type, 256)) / 256;
    return plan_ranks(*session_.spectrum(), to_json(spec), bytes_per_param);
  }

  // What a search asks of one share.
  Result<double> rise_at(const CompressSpec& searched, double share) {
    const CompressSpec spec = with_share(searched, share);
    const auto plan = plan_of(spec);
    if (!plan) {  // less than the floors and multiples allow
      return std::numeric_limits<double>::infinity();
    }
    const auto dense = session_.dense_perplexity(spec, progress(0.6, 0.62));
    if (!dense) {
      return dense.error();
    }
    const auto model = session_.with_ranks(spec, plan->layers, progress(0.62, 0.66));
    if (!model) {
      return model.error();
    }
    const auto loss = session_.loss(*model, spec, progress(0.66, 0.7));
    if (!loss && loss.error().kind == ErrorKind::kDiverged) {
      return std::numeric_limits<double>::infinity();
    }
    if (!loss) {
      return loss.error();
    }
    const double rise = loss->perplexity / *dense - 1;
    ports_.sink->on_event(LogLine{
        run_, LogLevel::kInfo,
        fmt::format("{} {:.4g}: {} parameters, perplexity {:.4g}, {:+.2f} %", enum_name(spec.along),
                    share, count_text(static_cast<double>(plan->summary.params_after)),
                    loss->perplexity, 100 * rise),
        unix_ms()});
    return rise;
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
    add("compress/secs", session_.spectrum()->look_secs);
    if (outcome.spec.heldout_windows > 0) {
      const auto dense = session_.dense_perplexity(outcome.spec, progress(0.6, 0.7));
      if (!dense) {
        return dense.error();
      }
      const auto loss = session_.loss(model, outcome.spec, progress(0.8, 0.95));
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
                         .name = session_.name()};
    wanted.text_of = &session_.file();
    wanted.record = {{"run", run_},
                     {"name", title(outcome.spec, wanted.name)},
                     {"metrics", outcome.metrics},
                     {"spec", to_json(outcome.spec)}};
    wanted.progress = progress(0.95, 1);
    const auto report = export_model(session_.backend(), model, model.plans(), wanted);
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
    std::map<std::string, std::vector<std::string>> dense;  // layers by the reason
    for (const RankVerdict& layer : outcome.layers) {
      if (layer.rank == 0) {
        dense[layer.reason].push_back(layer.name);
      }
    }
    for (const auto& [reason, names] : dense) {
      const bool one = names.size() == 1;
      line(LogLevel::kInfo, one ? fmt::format("{} stays dense: {}", names.front(), reason)
                                : fmt::format("{} layers from {} to {} stay dense: {}",
                                              names.size(), names.front(), names.back(), reason));
    }
    for (const std::string& note : outcome.notes) {
      line(LogLevel::kWarning, note);
    }
  }

  CompressSession& session_;
  const CompressRequest& request_;
  const CompressPorts& ports_;
  RunId run_;
};

}  // namespace

Result<std::vector<CompressOutcome>> run_compress(const CompressRequest& request,
                                                  const CompressPorts& ports) {
  CHECK(!request.points.empty(), "there is something to do");
  if (const Result<void> sensible = check(request); !sensible) {
    return sensible.error();
  }
  auto session = CompressSession::open(*ports.backend, request.model);
  if (!session) {
    return session.error();
  }
  return Compression(*session, request, ports).run();
}

Result<std::vector<CompressOutcome>> run_compress_in(CompressSession& session,
                                                     const CompressRequest& request,
                                                     const CompressPorts& ports) {
  CHECK(!request.points.empty(), "there is something to do");
  if (const Result<void> sensible = check(request); !sensible) {
    return sensible.error();
  }
  return Compression(session, request, ports).run();
}

}  // namespace lathe::experiments
