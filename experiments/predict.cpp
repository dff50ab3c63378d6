// See predict.h.
#include "experiments/predict.h"

#include <fmt/core.h>

#include "engine/base/format.h"
#include "engine/train/data_checks.h"
#include "engine/train/planned_base.h"
#include "experiments/base_model.h"
#include "experiments/device.h"
#include "experiments/teacher.h"

namespace lathe::experiments {
namespace {

// 256 bytes and the end mark.
constexpr std::int64_t kByteVocabulary = 257;

}  // namespace

Result<TrainSpec> resolve_model(const TrainSpec& spec) {
  TrainSpec resolved = spec;
  auto teacher = open_teacher(spec);
  if (!teacher) {
    return teacher.error();
  }
  resolved.teacher = std::move(*teacher);
  if (!spec.model.from.empty()) {
    auto settled = settle_model(spec.model);
    if (!settled) {
      return settled.error();
    }
    resolved.model = std::move(*settled);
    settle_images(resolved);
    const Result<void> taken = take_base(resolved);
    return taken ? Result<TrainSpec>(std::move(resolved)) : taken.error();
  }
  if (spec.model.images()) {
    settle_images(resolved);
    resolved.base = planned_base(resolved);
    return resolved;
  }
  const std::int64_t tokens =
      spec.data.tokenizer == TokenizerKind::kByte ? kByteVocabulary : spec.data.vocab_size;
  if (resolved.model.vocab_size == 0) {
    resolved.model.vocab_size = tokens;
  }
  if (resolved.model.vocab_size < tokens) {
    return Error{ErrorKind::kUsage,
                 fmt::format("model.vocab_size={} is below the tokenizer's {} tokens",
                             resolved.model.vocab_size, tokens),
                 "set model.vocab_size=0 to take the tokenizer's"};
  }
  resolved.base = planned_base(resolved);
  return resolved;
}

Result<PlanCase> plan_case(const RunSpec& spec, int threads) {
  const auto device = resolve_device(spec.device);
  if (!device) {
    return device.error();
  }
  auto resolved = resolve_model(spec.train);
  if (!resolved) {
    return resolved.error();
  }
  const auto machine =
      machine_shape(*device, threads > 0 ? threads : static_cast<int>(spec.threads));
  if (!machine) {
    return machine.error();
  }
  return PlanCase{std::move(*resolved), *machine};
}

Result<PlanReport> plan_run(const RunSpec& spec, int threads) {
  const auto of = plan_case(spec, threads);
  return of ? plan_step(of->spec, of->machine) : of.error();
}

Result<void> check_memory(const PlanReport& plan, const std::string& device) {
  const auto available = available_memory(device);
  if (!available || plan.peak.live_bytes <= available->bytes) {
    return {};
  }
  return Error{
      ErrorKind::kOutOfMemory,
      fmt::format("the run needs {} at its peak ({}), and {} has {} left",
                  bytes_text(plan.peak.live_bytes), plan.peak_phase, available->limited_by,
                  bytes_text(available->bytes)),
      "lower train.batch_size, train.seq_len, model.dim or model.layers, or choose a rank; "
      "`lathe plan` shows where the bytes go"};
}

Predictor make_predictor(int threads) {
  return [threads](const RunSpec& spec) -> Result<Prediction> {
    auto plan = plan_run(spec, threads);
    if (!plan) {
      return plan.error();
    }
    return Prediction{plan->peak.live_bytes, plan->parameters, plan->stored_bytes,
                      plan->flops_per_step, std::move(plan->warnings)};
  };
}

}  // namespace lathe::experiments
