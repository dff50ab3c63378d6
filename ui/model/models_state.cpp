// See models_state.h.
#include "ui/model/models_state.h"

#include <algorithm>

namespace lathe::ui {

namespace ex = lathe::experiments;

namespace {
constexpr std::size_t kKeptJobs = 200;
}

const ModelFacts* ModelsState::find_model(const std::string& model) const {
  const auto found = std::find_if(models.begin(), models.end(),
                                  [&](const ModelFacts& facts) { return facts.model == model; });
  return found == models.end() ? nullptr : &*found;
}

const LiveJob* ModelsState::find_job(const JobId& job) const {
  const auto found =
      std::find_if(jobs.begin(), jobs.end(), [&](const LiveJob& known) { return known.id == job; });
  return found == jobs.end() ? nullptr : &*found;
}

const LiveJob* ModelsState::latest(const std::string& model, JobKind kind) const {
  const auto found = std::find_if(jobs.rbegin(), jobs.rend(), [&](const LiveJob& job) {
    return job.model == model && job.kind == kind;
  });
  return found == jobs.rend() ? nullptr : &*found;
}

bool ModelsState::busy() const {
  return std::any_of(jobs.begin(), jobs.end(), [](const LiveJob& job) { return job.active(); });
}

LiveJob& ModelsView::job_of(const JobId& job) {
  published_.reset();
  const auto found = std::find_if(state_.jobs.begin(), state_.jobs.end(),
                                  [&](const LiveJob& known) { return known.id == job; });
  if (found != state_.jobs.end()) {
    return *found;
  }
  if (state_.jobs.size() >= kKeptJobs) {
    state_.jobs.erase(state_.jobs.begin());
  }
  state_.jobs.emplace_back().id = job;
  return state_.jobs.back();
}

void ModelsView::expect(const ex::Command& command) {
  const auto expected = [this](const auto* asked, JobKind kind) {
    if (asked != nullptr) {
      LiveJob& live = job_of(asked->job);
      live.kind = kind;
      live.model = asked->model;
    }
  };
  expected(std::get_if<ex::OpenModel>(&command), JobKind::kOpen);
  expected(std::get_if<ex::EvaluateModel>(&command), JobKind::kEvaluate);
  expected(std::get_if<ex::Generate>(&command), JobKind::kGenerate);
  expected(std::get_if<ex::ExportModel>(&command), JobKind::kExport);
  expected(std::get_if<ex::DecomposeModel>(&command), JobKind::kDecompose);
  expected(std::get_if<ex::ProbeQuant>(&command), JobKind::kProbeQuant);
  expected(std::get_if<ex::CompressModel>(&command), JobKind::kCompress);
}

void ModelsView::apply(const ex::ModelOpened& event) {
  job_of(event.job).state = JobState::kDone;
  auto known = std::find_if(state_.models.begin(), state_.models.end(),
                            [&](const ModelFacts& old) { return old.model == event.facts.model; });
  if (known == state_.models.end()) {
    state_.models.push_back(event.facts);
  } else {
    *known = event.facts;
  }
}

void ModelsView::apply(const ex::ModelDecomposed& event) {
  job_of(event.job).state = JobState::kDone;
  state_.spectra[event.spectrum->model] = event.spectrum;
}

void ModelsView::apply(const ex::QuantProbed& event) {
  job_of(event.job).state = JobState::kDone;
  state_.quant_probes[event.probe->model] = event.probe;
}

void ModelsView::apply(const ex::JobStarted& event) {
  LiveJob& live = job_of(event.job);
  live.kind = event.kind;
  live.model = event.model;
  live.title = event.title;
  live.state = JobState::kRunning;
}

void ModelsView::apply(const ex::JobProgress& event) {
  LiveJob& live = job_of(event.job);
  live.share = event.share;
  live.what = event.what;
}

void ModelsView::apply(const ex::TextPiece& event) {
  job_of(event.job).text += event.text;
}

void ModelsView::apply(const ex::JobFinished& event) {
  LiveJob& live = job_of(event.job);
  live.state = JobState::kDone;
  live.share = 1;
  live.result = event.result;
}

void ModelsView::apply(const ex::JobFailed& event) {
  LiveJob& live = job_of(event.job);
  live.state = event.cancelled ? JobState::kCancelled : JobState::kFailed;
  live.error = event.error.message;
  live.remedy = event.error.remedy;
}

std::shared_ptr<const ModelsState> ModelsView::snapshot() {
  if (!published_) {
    published_ = std::make_shared<const ModelsState>(state_);
  }
  return published_;
}

}  // namespace lathe::ui
