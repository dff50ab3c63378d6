// See eval_run.h.
#include "experiments/eval_run.h"

#include <fmt/core.h>

#include <filesystem>
#include <optional>

#include "engine/backend/backend.h"
#include "engine/backend/failure.h"
#include "experiments/clock.h"
#include "experiments/file_hash.h"
#include "experiments/host_memory.h"

namespace lathe::experiments {
namespace {

constexpr const char* kMemoryRemedy = "choose a smaller window, or a smaller model";

// Evaluations have one moment.
constexpr std::int64_t kStep = 1;

std::string title(const EvalRequest& request, const Json& facts) {
  const std::string model =
      facts.contains("name") ? facts["name"].get<std::string>()
                             : std::filesystem::path(request.spec.completions).filename().string();
  return fmt::format("{} of {}", enum_name(request.spec.task), model);
}

class Evaluation {
 public:
  Evaluation(const EvalRequest& request, const EvalPorts& ports)
      : request_(request), ports_(ports) {}

  Result<Json> run() {
    if (auto prepared = prepare(); !prepared) {
      return prepared.error();
    }
    announce();
    const auto outcome = measure();
    if (!outcome) {
      return end_with(outcome.error());
    }
    return finish(*outcome);
  }

 private:
  bool needs_model() const { return lathe::needs_model(request_.spec); }

  Result<void> prepare() {
    if (auto checked = check_spec(request_.spec, request_.allow_code_execution); !checked) {
      return checked.error();
    }
    const auto hash = file_hash(request_.spec.data);
    if (!hash) {
      return hash.error();
    }
    data_ = {{"path", request_.spec.data}, {"sha256", *hash}};
    if (!needs_model()) {
      const auto samples = file_hash(request_.spec.completions);
      if (!samples) {
        return samples.error();
      }
      data_["completions_sha256"] = *samples;
      return {};
    }
    if (request_.model.empty()) {
      return Error{ErrorKind::kUsage, "there is no model to measure",
                   "name one: `lathe ls models` lists them"};
    }
    try {
      auto opened = ports_.open(request_.model);
      if (!opened) {
        return opened.error();
      }
      opened_ = std::move(*opened);
    } catch (const std::exception& failure) {
      return error_of(failure, kMemoryRemedy);
    }
    return {};
  }

  void announce() {
    const std::string rule =
        rule_text(request_.spec, opened_ ? opened_->model.context : std::int64_t{0});
    const Json facts = opened_ ? opened_->facts : Json::object();
    RunCreated created;
    created.run = request_.run;
    created.name = title(request_, facts);
    created.spec = {{"name", created.name},
                    {"eval", to_json(request_.spec)},
                    {"rule", rule},
                    {"subject", facts},
                    {"data_sha256", data_["sha256"]}};
    created.parent = facts.value("run", "");
    created.kind = "eval";
    ports_.sink->on_event(created);
    ports_.sink->on_event(RunStarted{.run = request_.run,
                                     .attempt = 1,
                                     .from_step = 0,
                                     .total_steps = kStep,
                                     .environment = ports_.environment,
                                     .data_digest = data_["sha256"].get<std::string>()});
  }

  Result<EvalOutcome> measure() {
    const bool code = request_.spec.task == EvalTask::kHumaneval;
    const std::string what = code ? "sample" : "scoring";
    const auto progress = [&](std::int64_t done, std::int64_t total) {
      return !ports_.progress ||
             ports_.progress(static_cast<double>(done) / static_cast<double>(total),
                             fmt::format("{} {} of {}", what, done, total));
    };
    try {
      return evaluate(opened_ ? &opened_->model : nullptr, request_.spec, progress);
    } catch (const std::exception& failure) {
      return error_of(failure, kMemoryRemedy);
    }
  }

  Error end_with(const Error& error) {
    if (error.kind == ErrorKind::kInterrupted) {
      ports_.sink->on_event(RunFinished{request_.run, RunState::kStopped, 0});
    } else {
      ports_.sink->on_event(RunFailed{request_.run, 0, error});
    }
    return error;
  }

  Json finish(const EvalOutcome& outcome) {
    MetricBatch batch{.run = request_.run, .points = {}};
    Json metrics = Json::object();
    const auto add = [&](const std::string& metric, double value) {
      batch.points.push_back({metric, kStep, value, unix_ms()});
      metrics[metric] = value;
    };
    for (const EvalMetric& metric : outcome.metrics) {
      add(metric.metric, metric.value);
    }
    add("task/secs", watch_.secs());
    if (opened_) {
      Backend& backend = *opened_->model.backend;
      const Ledger& ledger = backend.ledger();
      const std::optional<std::int64_t> device_used = backend.device_used_bytes();
      add("mem/peak_bytes", static_cast<double>(ledger.peak().live_bytes));
      if (device_used) {
        add("mem/device_used_bytes", static_cast<double>(*device_used));
      }
      ports_.sink->on_event(MemorySample{.run = request_.run,
                                         .step = kStep,
                                         .time_ms = unix_ms(),
                                         .live = ledger.live(),
                                         .peak = ledger.peak(),
                                         .pool_bytes = backend.allocator().pool_bytes(),
                                         .process_bytes = process_bytes(),
                                         .device_used_bytes = device_used});
    }
    ports_.sink->on_event(batch);
    ports_.sink->on_event(RunFinished{request_.run, RunState::kDone, kStep});
    return {{"run", request_.run},
            {"task", enum_name(request_.spec.task)},
            {"rule", outcome.rule},
            {"metrics", metrics},
            {"details", outcome.details},
            {"model", opened_ ? opened_->facts : Json::object()},
            {"data", data_}};
  }

  const EvalRequest& request_;
  const EvalPorts& ports_;
  std::optional<OpenedModel> opened_;
  Json data_ = Json::object();
  Stopwatch watch_;
};

}  // namespace

Result<Json> run_eval(const EvalRequest& request, const EvalPorts& ports) {
  return Evaluation(request, ports).run();
}

}  // namespace lathe::experiments
