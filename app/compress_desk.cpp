// See compress_desk.h.
#include "app/compress_desk.h"

#include <fmt/core.h>

#include <set>

#include "app/environment.h"
#include "experiments/compress_run.h"
#include "experiments/device.h"
#include "experiments/settings.h"

namespace lathe::app {

using namespace experiments;

namespace {

constexpr StoredType kWritten = StoredType::kF16;

}  // namespace

double window_bytes_per_param() {
  return static_cast<double>(size_bytes(kWritten, 256)) / 256;
}

Result<CompressSession*> CompressDesk::session_of(const std::string& model) {
  if (kept_ && kept_->model == model) {
    return &*kept_->session;
  }
  kept_.reset();
  const auto device = resolve_device(options_.device);
  if (!device) {
    return device.error();
  }
  auto backend = make_backend(*device, options_.threads);
  if (!backend) {
    return backend.error();
  }
  auto session = CompressSession::open(**backend, model);
  if (!session) {
    return session.error();
  }
  kept_.emplace(Kept{model, std::move(*backend), std::move(*session)});
  return &*kept_->session;
}

Result<std::shared_ptr<const ModelSpectrum>> CompressDesk::decompose(const DecomposeModel& job,
                                                                     const JobWatch& watch) {
  const auto spec = from_document<CompressSpec>(job.spec);
  if (!spec) {
    return spec.error();
  }
  const auto session = session_of(job.model);
  if (!session) {
    return session.error();
  }
  if (const Result<void> looked = (*session)->look(*spec, watch.progress); !looked) {
    return looked.error();
  }
  return (*session)->spectrum();
}

Result<std::shared_ptr<const QuantProbe>> CompressDesk::probe_quant(const ProbeQuant& job,
                                                                    const JobWatch& watch) {
  const auto session = session_of(job.model);
  if (!session) {
    return session.error();
  }
  auto probe = experiments::probe_quant((*session)->file(), job.model, window_bytes_per_param(),
                                        watch.progress);
  if (!probe) {
    return probe.error();
  }
  return std::make_shared<const QuantProbe>(std::move(*probe));
}

Result<Json> CompressDesk::compress(const CompressModel& job, const JobWatch& watch) {
  std::vector<CompressSpec> specs;
  for (const Json& document : job.specs) {
    const auto spec = from_document<CompressSpec>(document);
    if (!spec) {
      return spec.error();
    }
    specs.push_back(*spec);
  }
  const auto session = session_of(job.model);
  if (!session) {
    return session.error();
  }
  const CompressRequest request{.model = job.model,
                                .points = std::move(specs),
                                .out = job.out,
                                .type = kWritten,
                                .factors = Factors::kKeep,
                                .format = ModelFormat::kHuggingFace};
  CompressPorts ports;
  ports.sink = &sink_;
  ports.backend = &(*session)->backend();
  ports.environment = environment();
  // Of several points each is a run, and all together are the job; a search is one point.
  const auto points = static_cast<double>(request.points.size());
  std::set<RunId> runs;
  ports.progress = [&](const RunId& run, double share, const std::string& what) {
    runs.insert(run);
    const double before = points > 1 ? static_cast<double>(runs.size()) - 1 : 0;
    return watch.progress(
        (before + share) / points,
        points > 1 ? fmt::format("{} of {}: {}", runs.size(), points, what) : what);
  };
  const auto outcomes = run_compress_in(**session, request, ports);
  if (!outcomes) {
    return outcomes.error();
  }
  const CompressOutcome& outcome = outcomes->back();
  return Json{{"run", outcome.run},
              {"spec", to_json(outcome.spec)},
              {"metrics", outcome.metrics},
              {"exported", outcome.exported}};
}

}  // namespace lathe::app
