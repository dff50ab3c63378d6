// An evaluation as a run of kind "eval": what was measured, by which rule, on which model and data
// (both by hash), so that two of them can be compared as two trainings can.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "engine/eval/evaluate.h"
#include "experiments/events.h"

namespace lathe::experiments {

// A model as it was opened to be evaluated.
struct OpenedModel {
  EvalModel model;
  // What identifies it: name, format, hash, parameters, stored_bytes ... and, where it comes from a
  // run of the store, run and step.
  Json facts = Json::object();
  std::shared_ptr<void> keeper;  // owns what `model` points into
};

struct EvalRequest {
  RunId run;
  std::string model;  // as asked for; may be empty where the task needs none
  EvalSpec spec;
  bool allow_code_execution = false;
};

struct EvalPorts {
  EventSink* sink = nullptr;
  std::function<Result<OpenedModel>(const std::string& model)> open;
  Json environment = Json::object();
  // Told where it is; false ends it.
  std::function<bool(double share, const std::string& what)> progress;
};

// Blocks until it is done. The value: {run, task, rule, metrics, details, model, data}. A spec, a
// model or data that cannot be read is refused without an event; what fails later is recorded as a
// failed run. Errors as of evaluate(), kOutOfMemory included; nothing is thrown.
Result<Json> run_eval(const EvalRequest& request, const EvalPorts& ports);

}  // namespace lathe::experiments
