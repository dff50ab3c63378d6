// Decompositions and roundings for the window: what `lathe compress` does, in a session that is
// kept, so that the look at a model is taken once.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/cli.h"
#include "experiments/compress_session.h"
#include "experiments/model_lane.h"

namespace lathe::app {

// Keeps the model that was decomposed last: factors of all ranks take more memory than the model.
// Only the lane's thread may call it.
class CompressDesk {
 public:
  // `sink` is told of runs; it and the options outlive the desk.
  CompressDesk(const GlobalOptions& options, experiments::EventSink& sink)
      : options_(options), sink_(sink) {}

  Result<std::shared_ptr<const experiments::ModelSpectrum>> decompose(
      const experiments::DecomposeModel& job, const experiments::JobWatch& watch);
  Result<std::shared_ptr<const experiments::QuantProbe>> probe_quant(
      const experiments::ProbeQuant& job, const experiments::JobWatch& watch);
  Result<Json> compress(const experiments::CompressModel& job, const experiments::JobWatch& watch);

 private:
  struct Kept {
    std::string model;
    std::unique_ptr<Backend> backend;
    std::optional<experiments::CompressSession> session;
  };
  Result<experiments::CompressSession*> session_of(const std::string& model);

  const GlobalOptions& options_;
  experiments::EventSink& sink_;
  std::optional<Kept> kept_;
};

// Bytes per parameter of what the window writes and tells: f16, as the verb's default.
double window_bytes_per_param();

}  // namespace lathe::app
