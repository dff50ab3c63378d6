// What the window's lane for models does: opens them as they are stored, lets them go on with a
// prompt, measures them as `lathe eval` does, writes them as `lathe export` does and decomposes
// them as `lathe compress` does.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "app/cli.h"
#include "app/compress_desk.h"
#include "engine/lm/language_model.h"
#include "experiments/model_lane.h"

namespace lathe::app {

// Opened models stay open until the desk goes. Only the lane's thread may call its work.
class ModelDesk {
 public:
  // `store`: the store's file; `sink` is told of evaluations, which are runs. Both outlive the
  // desk.
  ModelDesk(const GlobalOptions& options, std::string store, experiments::EventSink& sink)
      : options_(options), store_(std::move(store)), sink_(sink), compress_(options, sink) {}

  experiments::ModelWork work();

 private:
  struct Opened {
    std::unique_ptr<Backend> backend;
    std::unique_ptr<LanguageModel> model;
  };
  Result<Opened*> opened(const std::string& model);
  Result<experiments::ModelFacts> open(const std::string& model);
  Result<Json> evaluate(const experiments::EvaluateModel& job, const experiments::JobWatch& watch);
  Result<Json> generate(const experiments::Generate& job, const experiments::JobWatch& watch);
  Result<Json> write(const experiments::ExportModel& job, const experiments::JobWatch& watch);

  const GlobalOptions& options_;
  std::string store_;
  experiments::EventSink& sink_;
  std::map<std::string, Opened> models_;
  CompressDesk compress_;
};

}  // namespace lathe::app
