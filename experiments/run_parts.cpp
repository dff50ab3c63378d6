// See run_parts.h.
#include "experiments/run_parts.h"

#include "experiments/base_model.h"
#include "experiments/device.h"
#include "experiments/predict.h"
#include "experiments/teacher.h"

namespace lathe::experiments {
namespace {

Result<std::shared_ptr<const TokenSource>> read_data(const RunRequest& request,
                                                     const RunnerPorts& ports,
                                                     const TrainSpec& train,
                                                     const ModelEncoding& encoding) {
  const CorpusProgress progress = [&](double share, const std::string& what) {
    ports.sink->on_event(Preparing{request.run, share, what});
  };
  return ports.open_data ? ports.open_data(train, progress)
                         : open_corpus(train.data, train.train.seq_len, encoding, progress);
}

TextCoder coder_of(const std::optional<BaseModel>& base,
                   const std::shared_ptr<const TokenSource>& data) {
  if (base && base->encoding.tokenizer != nullptr) {
    return make_coder(base->encoding.tokenizer);
  }
  const Tokenizer* own = data->tokenizer();
  return own == nullptr ? TextCoder{} : make_coder(std::shared_ptr<const Tokenizer>(data, own));
}

}  // namespace

RunCreated created_event(const RunRequest& request, const PlanReport& plan) {
  RunCreated created;
  created.run = request.run;
  created.sweep = request.sweep;
  created.point = request.point;
  created.name = request.spec.name;
  created.spec = to_json(request.spec);
  created.predicted_peak_bytes = plan.peak.live_bytes;
  created.parent = request.parent;
  created.kind = request.kind;
  created.predicted_by_category = plan.peak.by_category;
  return created;
}

Json environment_of(const RunnerPorts& ports, const Backend& backend, const TokenSource& data) {
  Json environment = ports.environment;
  environment["backend"] = backend.info().name;
  environment["device"] = backend.info().device;
  environment["threads"] = backend.parallelism();
  environment["kernels"] = backend.info().kernels;
  if (data.images() != nullptr) {
    environment["pixel_mean"] = data.info().pixel_mean;
    environment["pixel_std"] = data.info().pixel_std;
  }
  return environment;
}

Result<RunParts> make_run_parts(const RunRequest& request, const RunnerPorts& ports,
                                const TrainSpec& train, const PlanReport& plan) {
  const auto device = resolve_device(request.spec.device);
  if (!device) {
    return device.error();
  }
  if (const Result<void> fits = check_memory(plan, *device); !fits) {
    return fits.error();
  }
  auto backend =
      make_backend(*device, static_cast<int>(request.spec.threads), request.spec.products);
  if (!backend) {
    return backend.error();
  }
  RunParts parts{.backend = std::move(*backend), .data = nullptr, .trainer = nullptr, .coder = {}};
  std::optional<BaseModel> base;
  if (!train.model.from.empty()) {
    auto opened = open_base_model(train.model);
    if (!opened) {
      return opened.error();
    }
    base = std::move(*opened);
  }
  if (base && !train.distill.from.empty()) {
    if (const Result<void> alike = check_teacher_text(train.distill, base->encoding); !alike) {
      return alike.error();
    }
  }
  auto data = read_data(request, ports, train, base ? base->encoding : ModelEncoding{});
  if (!data) {
    return data.error();
  }
  parts.data = std::move(*data);
  parts.coder = coder_of(base, parts.data);
  std::vector<std::string> warnings;  // those of the plan, told already
  auto trainer = make_trainer(*parts.backend, train, parts.data, warnings);
  if (!trainer) {
    return trainer.error();
  }
  parts.trainer = std::move(*trainer);
  if (!request.checkpoint.empty()) {
    if (const Result<void> loaded = parts.trainer->load(request.checkpoint); !loaded) {
      return loaded.error();
    }
  }
  return parts;
}

}  // namespace lathe::experiments
