// What the window knows of opened models and of the jobs on them. Built from events, published as
// constant snapshots like the rest of LiveState.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "experiments/events.h"

namespace lathe::ui {

using experiments::JobId;
using experiments::JobKind;
using experiments::ModelFacts;
using experiments::ModelSpectrum;
using experiments::QuantProbe;

enum class JobState : std::uint8_t { kWaiting, kRunning, kDone, kFailed, kCancelled };

struct LiveJob {
  JobId id;
  JobKind kind = JobKind::kOpen;
  JobState state = JobState::kWaiting;
  std::string model;
  std::string title;
  double share = 0;
  std::string what;
  std::string text;    // generated so far
  Json result;         // once done
  std::string error;   // why it failed
  std::string remedy;  // what to do about it
  bool active() const { return state == JobState::kWaiting || state == JobState::kRunning; }
};

struct ModelsState {
  std::vector<ModelFacts> models;  // opened, in order; a model opened again takes its old place
  std::vector<LiveJob> jobs;       // oldest first, at most kKeptJobs
  // Of models that were decomposed, the latest of each.
  std::map<std::string, std::shared_ptr<const ModelSpectrum>> spectra;
  // Of models that were rounded to look at it, the latest of each.
  std::map<std::string, std::shared_ptr<const QuantProbe>> quant_probes;

  const ModelFacts* find_model(const std::string& model) const;
  const LiveJob* find_job(const JobId& job) const;
  // The newest job of this kind on this model; nullptr if there is none.
  const LiveJob* latest(const std::string& model, JobKind kind) const;
  bool busy() const;
};

// Takes the events that concern models; not thread-safe, its owner guards it.
class ModelsView {
 public:
  // A job shows as soon as it is asked for, whatever the lane does first.
  void expect(const experiments::Command& command);
  void apply(const experiments::ModelOpened& event);
  void apply(const experiments::ModelDecomposed& event);
  void apply(const experiments::QuantProbed& event);
  void apply(const experiments::JobStarted& event);
  void apply(const experiments::JobProgress& event);
  void apply(const experiments::TextPiece& event);
  void apply(const experiments::JobFinished& event);
  void apply(const experiments::JobFailed& event);

  // The state now; the same object while nothing changed.
  std::shared_ptr<const ModelsState> snapshot();

 private:
  LiveJob& job_of(const JobId& job);

  ModelsState state_;
  std::shared_ptr<const ModelsState> published_;
};

}  // namespace lathe::ui
