// See step_events.h.
#include "experiments/step_events.h"

#include <memory>
#include <string>
#include <utility>

#include "experiments/clock.h"
#include "experiments/host_memory.h"

namespace lathe::experiments {
namespace {

// Collects the points of one step.
class Batch {
 public:
  Batch(const RunId& run, std::int64_t step) : batch_{run, {}}, step_(step), time_ms_(unix_ms()) {
    batch_.points.reserve(32);
  }
  void add(std::string metric, double value) {
    batch_.points.push_back({std::move(metric), step_, value, time_ms_});
  }
  void add_bytes(std::string metric, std::int64_t bytes) {
    add(std::move(metric), static_cast<double>(bytes));
  }
  std::int64_t time_ms() const { return time_ms_; }
  MetricBatch take() { return std::move(batch_); }

 private:
  MetricBatch batch_;
  std::int64_t step_;
  std::int64_t time_ms_;
};

void add_training(const StepReport& report, Batch& batch) {
  batch.add("train/loss", report.loss);
  batch.add("train/acc", report.accuracy);
  batch.add("train/lr", report.lr);
  batch.add("train/grad_norm", report.grad_norm);
  batch.add("train/tokens", static_cast<double>(report.tokens));
  if (report.kept_energy) {
    batch.add("galore/kept_energy", *report.kept_energy);
  }
}

void add_memory(const MemorySample& sample, Batch& batch) {
  batch.add_bytes("mem/live_bytes", sample.live.live_bytes);
  batch.add_bytes("mem/peak_bytes", sample.peak.live_bytes);
  batch.add_bytes("mem/pool_bytes", sample.pool_bytes);
  batch.add_bytes("mem/process_bytes", sample.process_bytes);
  if (sample.device_used_bytes) {
    batch.add_bytes("mem/device_used_bytes", *sample.device_used_bytes);
  }
  for (std::size_t i = 0; i < kCategoryCount; ++i) {
    batch.add_bytes("mem/" + std::string(kCategoryNames[i]), sample.peak.by_category[i]);
  }
}

void add_evaluation(const EvalReport& eval, Batch& batch) {
  batch.add("eval/loss", eval.loss);
  batch.add("eval/ppl", eval.perplexity);
  batch.add("eval/acc", eval.accuracy);
  if (eval.soft_loss) {
    batch.add("dkm/soft_loss", *eval.soft_loss);
    batch.add("dkm/soft_hard_gap", eval.loss - *eval.soft_loss);
  }
}

}  // namespace

void StepEvents::model(const Trainer& trainer, std::int64_t dense_parameters) {
  Batch batch(run_, 0);
  const auto stored = static_cast<double>(trainer.stored_bytes());
  batch.add("model/params", static_cast<double>(trainer.parameter_count()));
  batch.add("model/stored_bytes", stored);
  batch.add("model/bits_per_weight", 8 * stored / static_cast<double>(dense_parameters));
  sink_.on_event(batch.take());
}

void StepEvents::first_evaluation(const EvalReport& eval) {
  Batch batch(run_, 0);
  add_evaluation(eval, batch);
  sink_.on_event(batch.take());
}

void StepEvents::probe(std::int64_t step, const std::vector<SubtokenProbe>& probes) {
  if (probes.empty()) {
    return;
  }
  Batch batch(run_, step);
  const auto add = [&](const std::string& metric, double SubtokenProbe::*value) {
    double sum = 0;
    double least = probes.front().*value;
    for (const SubtokenProbe& probe : probes) {
      batch.add(metric + ":" + probe.slot, probe.*value);
      sum += probe.*value;
      least = std::min(least, probe.*value);
    }
    batch.add(metric, sum / static_cast<double>(probes.size()));
    batch.add(metric + "_min", least);
  };
  add("velora/cosine", &SubtokenProbe::cosine);
  add("velora/kept_energy", &SubtokenProbe::kept_energy);
  sink_.on_event(batch.take());
}

void StepEvents::palettes(std::int64_t step, std::vector<PaletteView> views) {
  if (views.empty()) {
    return;
  }
  Batch batch(run_, step);
  const auto add = [&](const std::string& metric, auto PaletteView::*value) {
    double sum = 0;
    for (const PaletteView& view : views) {
      batch.add(metric + ":" + view.slot, static_cast<double>(view.*value));
      sum += static_cast<double>(view.*value);
    }
    batch.add(metric, sum / static_cast<double>(views.size()));
  };
  add("dkm/distinct", &PaletteView::distinct);
  add("dkm/entropy", &PaletteView::entropy_bits);
  add("dkm/soft_hard_distance", &PaletteView::soft_hard_distance);
  sink_.on_event(batch.take());
  sink_.on_event(PaletteSnapshot{
      run_, step, std::make_shared<const std::vector<PaletteView>>(std::move(views))});
}

void StepEvents::task(std::int64_t step, const EvalOutcome& outcome, double secs) {
  Batch batch(run_, step);
  for (const EvalMetric& metric : outcome.metrics) {
    batch.add(metric.metric, metric.value);
  }
  batch.add("task/secs", secs);
  sink_.on_event(batch.take());
}

void StepEvents::step(const StepReport& report, const EvalReport* eval, Backend& backend) {
  const Stopwatch watch;
  Batch batch(run_, report.step);
  MemorySample sample;
  sample.run = run_;
  sample.step = report.step;
  sample.time_ms = batch.time_ms();
  sample.live = report.live;
  // An evaluation raises the ledger's peak; it belongs to the run's peak too.
  sample.peak = eval == nullptr ? report.peak : backend.ledger().peak();
  sample.pool_bytes = backend.allocator().pool_bytes();
  sample.process_bytes = process_bytes();
  sample.device_used_bytes = backend.device_used_bytes();
  add_training(report, batch);
  if (eval != nullptr) {
    add_evaluation(*eval, batch);
  }
  batch.add("perf/step_ms", 1e3 * report.step_secs);
  batch.add("perf/tflops", report.flops / report.step_secs / 1e12);
  batch.add("perf/tokens_per_s", static_cast<double>(tokens_per_step_) / report.step_secs);
  if (step_secs_ > 0) {  // of the steps before this one, whose recording is over
    batch.add("perf/observer_pct", 100 * observer_secs_ / (observer_secs_ + step_secs_));
  }
  add_memory(sample, batch);
  sink_.on_event(batch.take());
  sink_.on_event(sample);
  step_secs_ += report.step_secs;
  observer_secs_ += watch.secs();
}

void StepEvents::profile(std::int64_t step, const Ledger& ledger) {
  MemoryProfile profile;
  profile.run = run_;
  profile.step = step;
  profile.time_line = ledger.time_line();
  profile.tags = ledger.tags();
  profile.peak_by_layer = ledger.peak_by_layer();
  profile.peak = ledger.peak();
  profile.peak_phase = ledger.peak_phase();
  sink_.on_event(profile);
}

}  // namespace lathe::experiments
