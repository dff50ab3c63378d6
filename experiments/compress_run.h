// Decompositions and roundings as runs of kind "compress": one look at a model, and a run for each
// choice of ranks and types with what it weighs and what it costs on held-out text, so that choices
// can be compared. A point with max_rise is a search: a run for each of its steps, and the outcome
// is the one it found.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/compress/compress_spec.h"
#include "engine/lm/model_export.h"
#include "experiments/compress_session.h"
#include "experiments/events.h"

namespace lathe::experiments {

struct CompressRequest {
  std::string model;                 // a path, or the name of an installed model
  std::vector<CompressSpec> points;  // at least one
  // Where the model of the only point is written; empty: it is not.
  std::string out;
  StoredType type = StoredType::kF16;
  Factors factors = Factors::kKeep;
  ModelFormat format = ModelFormat::kHuggingFace;
};

struct CompressPorts {
  EventSink* sink = nullptr;
  Backend* backend = nullptr;
  Json environment = Json::object();
  // Told of each run where it is; false ends it.
  std::function<bool(const RunId& run, double share, const std::string& what)> progress;
};

// One choice of ranks.
struct CompressOutcome {
  RunId run;
  CompressSpec spec;
  RankSummary summary;
  std::vector<RankVerdict> layers;  // empty where nothing was decomposed
  std::vector<StoredLayer> stored;  // empty where nothing was stored in fewer bits
  std::vector<std::string> notes;   // what had to be floored
  Json metrics = Json::object();
  Json exported = Json::object();  // where it was written: what export_model() reports
};

// What was done and what it comes to, in a sentence.
std::string summary_text(const CompressOutcome& outcome);

// Blocks until all are done. What cannot be opened or makes no sense is refused without an event
// (kUsage, kData); what fails later is recorded as a failed run. Nothing is thrown.
Result<std::vector<CompressOutcome>> run_compress(const CompressRequest& request,
                                                  const CompressPorts& ports);

// The same in a session of request.model that is kept: its look is not taken again.
Result<std::vector<CompressOutcome>> run_compress_in(CompressSession& session,
                                                     const CompressRequest& request,
                                                     const CompressPorts& ports);

}  // namespace lathe::experiments
