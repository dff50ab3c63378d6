// The thread for models that exist: open, evaluate, generate, export, decompose, round, one job
// after another, beside the session that trains. What the jobs do is given as functions; here are
// their order, their events, and that any of them can be cancelled.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <variant>

#include "experiments/events.h"

namespace lathe::experiments {

using ModelJob = std::variant<OpenModel, EvaluateModel, Generate, ExportModel, DecomposeModel,
                              ProbeQuant, CompressModel>;

// How a job tells where it is. Each answers false once the job was cancelled: end soon, with any
// error.
struct JobWatch {
  std::function<bool(double share, const std::string& what)> progress;
  std::function<bool(const std::string& text)> text;
};

// What can be done with a model; called on the lane's thread.
struct ModelWork {
  std::function<Result<ModelFacts>(const OpenModel&, const JobWatch&)> open;
  std::function<Result<Json>(const EvaluateModel&, const JobWatch&)> evaluate;
  std::function<Result<Json>(const Generate&, const JobWatch&)> generate;
  std::function<Result<Json>(const ExportModel&, const JobWatch&)> write;
  // Never null where it succeeds.
  std::function<Result<std::shared_ptr<const ModelSpectrum>>(const DecomposeModel&,
                                                             const JobWatch&)>
      decompose;
  // Never null where it succeeds.
  std::function<Result<std::shared_ptr<const QuantProbe>>(const ProbeQuant&, const JobWatch&)>
      probe_quant;
  std::function<Result<Json>(const CompressModel&, const JobWatch&)> compress;
};

class ModelLane {
 public:
  ModelLane(ModelWork work, EventSink& sink);
  // Cancels what runs and drops what waits.
  ~ModelLane();

  // Returns at once. Every job ends in one ModelOpened, ModelDecomposed, QuantProbed, JobFinished
  // or JobFailed.
  void send(ModelJob job);
  // Running or waiting; unknown ids are ignored.
  void cancel(const JobId& job);
  bool busy() const;

 private:
  void serve();
  void carry_out(const ModelJob& job);
  bool cancelled(const JobId& job) const;

  ModelWork work_;
  EventSink& sink_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<ModelJob> waiting_;
  std::set<JobId> cancelled_;
  bool working_ = false;
  bool leaving_ = false;
  std::thread thread_;
};

}  // namespace lathe::experiments
