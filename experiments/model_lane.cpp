// See model_lane.h.
#include "experiments/model_lane.h"

#include <fmt/core.h>

#include <filesystem>

#include "engine/backend/failure.h"
#include "engine/tensor/allocator.h"

namespace lathe::experiments {
namespace {

const JobId& id_of(const ModelJob& job) {
  return std::visit([](const auto& one) -> const JobId& { return one.job; }, job);
}

std::string file_name(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

JobStarted started(const OpenModel& job) {
  return {job.job, JobKind::kOpen, job.model, "opening " + file_name(job.model)};
}
JobStarted started(const EvaluateModel& job) {
  const std::string data = file_name(job.task.value("data", ""));
  return {job.job, JobKind::kEvaluate, job.model,
          fmt::format("{}{}{}", job.task.value("task", ""), data.empty() ? "" : " on ", data)};
}
JobStarted started(const Generate& job) {
  return {job.job, JobKind::kGenerate, job.model, "answering"};
}
JobStarted started(const ExportModel& job) {
  return {job.job, JobKind::kExport, job.model,
          fmt::format("{} {} to {}", job.format, job.dtype, file_name(job.out))};
}
JobStarted started(const DecomposeModel& job) {
  return {job.job, JobKind::kDecompose, job.model, "decomposing " + file_name(job.model)};
}
JobStarted started(const ProbeQuant& job) {
  return {job.job, JobKind::kProbeQuant, job.model, "rounding " + file_name(job.model)};
}
JobStarted started(const CompressModel& job) {
  const bool several = job.specs.size() > 1;
  return {job.job, JobKind::kCompress, job.model,
          !job.out.empty() ? "writing " + file_name(job.out)
          : several        ? fmt::format("measuring {} choices", job.specs.size())
                           : "measuring the choice"};
}

}  // namespace

ModelLane::ModelLane(ModelWork work, EventSink& sink) : work_(std::move(work)), sink_(sink) {
  thread_ = std::thread([this] { serve(); });
}

ModelLane::~ModelLane() {
  {
    const std::lock_guard lock(mutex_);
    leaving_ = true;
    waiting_.clear();
  }
  changed_.notify_all();
  thread_.join();
}

void ModelLane::send(ModelJob job) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(job));
  }
  changed_.notify_all();
}

void ModelLane::cancel(const JobId& job) {
  const std::lock_guard lock(mutex_);
  cancelled_.insert(job);
}

bool ModelLane::busy() const {
  const std::lock_guard lock(mutex_);
  return working_ || !waiting_.empty();
}

bool ModelLane::cancelled(const JobId& job) const {
  const std::lock_guard lock(mutex_);
  return leaving_ || cancelled_.contains(job);
}

void ModelLane::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return leaving_ || !waiting_.empty(); });
    if (leaving_) {
      return;
    }
    const ModelJob job = std::move(waiting_.front());
    waiting_.pop_front();
    working_ = true;
    lock.unlock();
    carry_out(job);
    lock.lock();
    working_ = false;
    cancelled_.erase(id_of(job));
  }
}

void ModelLane::carry_out(const ModelJob& job) {
  const JobId id = id_of(job);
  sink_.on_event(std::visit([](const auto& one) { return started(one); }, job));
  const JobWatch watch{.progress =
                           [this, id](double share, const std::string& what) {
                             sink_.on_event(JobProgress{id, share, what});
                             return !cancelled(id);
                           },
                       .text =
                           [this, id](const std::string& text) {
                             sink_.on_event(TextPiece{id, text});
                             return !cancelled(id);
                           }};
  const auto fail = [this, &id](const Error& error) {
    sink_.on_event(JobFailed{id, error, cancelled(id)});
  };
  const auto finish = [&](const Result<Json>& result) {
    result ? sink_.on_event(JobFinished{id, *result}) : fail(result.error());
  };
  if (cancelled(id)) {
    return fail({ErrorKind::kFailed, "cancelled before it began", ""});
  }
  try {
    if (const auto* open = std::get_if<OpenModel>(&job)) {
      const Result<ModelFacts> facts = work_.open(*open, watch);
      facts ? sink_.on_event(ModelOpened{id, *facts}) : fail(facts.error());
    } else if (const auto* evaluate = std::get_if<EvaluateModel>(&job)) {
      finish(work_.evaluate(*evaluate, watch));
    } else if (const auto* generate = std::get_if<Generate>(&job)) {
      finish(work_.generate(*generate, watch));
    } else if (const auto* wanted = std::get_if<ExportModel>(&job)) {
      finish(work_.write(*wanted, watch));
    } else if (const auto* decompose = std::get_if<DecomposeModel>(&job)) {
      const auto spectrum = work_.decompose(*decompose, watch);
      spectrum ? sink_.on_event(ModelDecomposed{id, *spectrum}) : fail(spectrum.error());
    } else if (const auto* quant = std::get_if<ProbeQuant>(&job)) {
      const auto probe = work_.probe_quant(*quant, watch);
      probe ? sink_.on_event(QuantProbed{id, *probe}) : fail(probe.error());
    } else if (const auto* compress = std::get_if<CompressModel>(&job)) {
      finish(work_.compress(*compress, watch));
    }
  } catch (const std::exception& failure) {
    fail(error_of(failure, "close another model or choose a smaller one"));
  }
}

}  // namespace lathe::experiments
