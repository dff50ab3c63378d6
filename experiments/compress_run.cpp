// See compress_run.h.
#include "experiments/compress_run.h"

#include <fmt/core.h>

#include <filesystem>
#include <limits>
#include <map>

#include "engine/backend/failure.h"
#include "engine/lm/language_model.h"
#include "engine/lm/loftq_start.h"
#include "experiments/clock.h"
#include "experiments/compress_check.h"
#include "experiments/compress_search.h"
#include "experiments/ids.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kStep = 1;  // they have one moment
constexpr const char* kMemoryRemedy =
    "take fewer or shorter calibration samples, fewer layers (target), or a smaller model";

class Compression {
 public:
  Compression(CompressSession& session, const CompressRequest& request, const CompressPorts& ports)
      : session_(session), request_(request), ports_(ports) {}

  Result<std::vector<CompressOutcome>> run() {
    std::vector<CompressOutcome> outcomes;
    for (const CompressSpec& spec : request_.points) {
      auto outcome = spec.max_rise > 0 ? search(spec) : recorded(spec, request_.out);
      if (!outcome) {
        return outcome.error();
      }
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

  // One choice of ranks as a run; the model goes to `out`, where it is not empty.
  Result<CompressOutcome> recorded(const CompressSpec& spec, const std::string& out) {
    run_ = new_id();
    announce(spec);
    auto outcome = guarded([&] { return point(spec, out); });
    if (!outcome) {
      return end_with(outcome.error());
    }
    ports_.sink->on_event(RunFinished{run_, RunState::kDone, kStep});
    return outcome;
  }

  // Every step of a search is a run of its own, as what it measured is worth as much as any.
  Result<CompressOutcome> search(const CompressSpec& spec) {
    std::map<double, CompressOutcome> measured;
    const auto share = least_share(spec.max_rise, [&](double at) -> Result<double> {
      const CompressSpec step = with_share(spec, at);
      if (session_.spectrum() != nullptr && !plan_of(step)) {
        return std::numeric_limits<double>::infinity();  // less than the floors and multiples allow
      }
      auto outcome = recorded(step, "");
      if (!outcome && outcome.error().kind == ErrorKind::kDiverged) {
        return std::numeric_limits<double>::infinity();
      }
      if (!outcome) {
        return outcome.error();
      }
      const double rise = outcome->metrics["compress/ppl_rise"].get<double>();
      measured[at] = std::move(*outcome);
      return rise;
    });
    if (!share) {
      return share.error();
    }
    return request_.out.empty() ? Result(std::move(measured.at(*share)))
                                : recorded(with_share(spec, *share), request_.out);
  }

  void announce(const CompressSpec& spec) {
    const ModelFile& file = session_.file();
    RunCreated created;
    created.run = run_;
    created.name = compress_title(spec, session_.name());
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

  Result<RankPlan> plan_of(const CompressSpec& spec) const {
    if (!spec.decompose) {
      RankPlan none;
      none.summary = summarise({}, session_.spectrum()->params, bytes_per_param());
      return none;
    }
    return plan_ranks(*session_.spectrum(), to_json(spec), bytes_per_param());
  }

  Result<CompressOutcome> point(const CompressSpec& spec, const std::string& out) {
    if (const Result<void> looked = session_.look(spec, progress(0, 0.6)); !looked) {
      return looked.error();
    }
    auto plan = plan_of(spec);
    if (!plan) {
      return plan.error();
    }
    CompressOutcome outcome;
    outcome.run = run_;
    outcome.spec = spec;
    outcome.layers = std::move(plan->layers);
    outcome.summary = plan->summary;
    outcome.notes = session_.spectrum()->notes;
    auto model = session_.with_ranks(spec, outcome.layers, progress(0.6, 0.65));
    if (!model) {
      return model.error();
    }
    std::vector<StoredAdapter> adapters;
    if (spec.quant.type != QuantType::kNone) {
      auto stored = in_few_bits(*model, spec, adapters);
      if (!stored) {
        return stored.error();
      }
      model = std::move(stored->file);
      outcome.stored = std::move(stored->layers);
      outcome.summary.bytes_after = written_bytes(*model);
    }
    if (const Result<void> told = measure(*model, adapters, outcome); !told) {
      return told.error();
    }
    if (const Result<void> written = write(*model, adapters, out, outcome); !written) {
      return written.error();
    }
    log(outcome);
    return outcome;
  }

  // `adapters` gets LoftQ's, where they are asked for.
  Result<StoredModel> in_few_bits(const ModelFile& model, const CompressSpec& spec,
                                  std::vector<StoredAdapter>& adapters) {
    if (spec.quant.loftq_rank == 0) {
      return session_.stored(model, spec, progress(0.65, 0.8));
    }
    auto made = session_.with_adapters(model, spec, progress(0.65, 0.8));
    if (!made) {
      return made.error();
    }
    adapters = std::move(made->adapters);
    return std::move(made->stored);
  }

  // Of a file of it: what is on a grid as it is, the rest in the type asked for.
  double written_bytes(const ModelFile& model) const {
    double bytes = 0;
    for (const ModelTensor& tensor : model.tensors()) {
      bytes += is_ours(tensor.stored.type)
                   ? static_cast<double>(tensor.stored_bytes())
                   : static_cast<double>(tensor.elements()) * bytes_per_param();
    }
    return bytes;
  }

  double bytes_per_param() const {
    return static_cast<double>(size_bytes(request_.type, 256)) / 256;
  }

  static void add_stored(const std::vector<StoredLayer>& layers,
                         const std::function<void(const std::string&, double)>& add) {
    double bits = 0, weights = 0, error = 0, outliers = 0;
    for (const StoredLayer& layer : layers) {
      outliers += static_cast<double>(layer.outliers);
      bits += 8 * static_cast<double>(layer.bytes);
      weights += static_cast<double>(layer.out * layer.in);
      error += layer.error_share / static_cast<double>(layers.size());
    }
    if (!layers.empty()) {
      add("compress/bits", bits / weights);
      add("compress/outliers", outliers / weights);
      add("compress/round_error", error);
    }
  }

  // Of what fine-tuning begins with: the model and, where there are any, its adapters.
  Result<HeldoutLoss> loss_of(const ModelFile& model, const std::vector<StoredAdapter>& adapters,
                              const CompressSpec& spec) {
    if (adapters.empty()) {
      return session_.loss(model, spec, progress(0.8, 0.95));
    }
    const auto together = ModelFile::with_adapters(model, adapters);
    return together ? session_.loss(*together, spec, progress(0.8, 0.95))
                    : Result<HeldoutLoss>(together.error());
  }

  Result<void> measure(const ModelFile& model, const std::vector<StoredAdapter>& adapters,
                       CompressOutcome& outcome) {
    MetricBatch batch{.run = run_, .points = {}};
    const auto add = [&](const std::string& metric, double value) {
      batch.points.push_back({metric, kStep, value, unix_ms()});
      outcome.metrics[metric] = value;
    };
    const RankSummary& summary = outcome.summary;
    add("model/params", static_cast<double>(summary.params_after));
    add("model/stored_bytes", summary.bytes_after);
    if (outcome.spec.decompose) {
      add("compress/rank_cut", summary.rank_cut);
      add("compress/energy_kept", summary.energy_kept.value_or(1));
      add("compress/params_cut", 1 - static_cast<double>(summary.params_after) /
                                         static_cast<double>(summary.params_before));
      add("compress/secs", session_.spectrum()->look_secs);
    }
    add_stored(outcome.stored, add);
    if (outcome.spec.heldout_windows > 0) {
      const auto dense = session_.dense_perplexity(outcome.spec, progress(0.6, 0.7));
      if (!dense) {
        return dense.error();
      }
      const auto loss = loss_of(model, adapters, outcome.spec);
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

  Result<void> write(const ModelFile& model, const std::vector<StoredAdapter>& adapters,
                     const std::string& out, CompressOutcome& outcome) {
    if (out.empty()) {
      return {};
    }
    ExportRequest wanted{.format = request_.format,
                         .type = request_.type,
                         .factors = request_.factors,
                         .out = out,
                         .name = session_.name()};
    wanted.text_of = &session_.file();
    wanted.record = {{"run", run_},
                     {"name", compress_title(outcome.spec, wanted.name)},
                     {"metrics", outcome.metrics},
                     {"spec", to_json(outcome.spec)}};
    wanted.progress = progress(0.95, 1);
    const auto report = export_model(session_.backend(), model, model.plans(), wanted);
    if (!report) {
      return report.error();
    }
    if (const Result<void> beside = write_loftq_start(out, adapters); !beside) {
      std::error_code failed;
      fs::remove_all(out, failed);
      return beside;
    }
    outcome.exported = {{"out", out},
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
    line(LogLevel::kInfo, summary_text(outcome));
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

std::string summary_text(const CompressOutcome& outcome) {
  if (outcome.stored.empty()) {
    return outcome.summary.text();
  }
  const RankSummary& summary = outcome.summary;
  return fmt::format(
      "{}{} matrices in {}: {:.3f} bits a weight, bytes {:.2f}M -> {:.2f}M ({:.2f}x)",
      outcome.spec.decompose ? summary.text() + "; " : "", outcome.stored.size(),
      info_of(*stored_type_of(outcome.spec.quant)).name,
      outcome.metrics["compress/bits"].get<double>(), summary.bytes_before / 1e6,
      summary.bytes_after / 1e6, summary.bytes_before / summary.bytes_after);
}

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
