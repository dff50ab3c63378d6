// One training run: model, optimizer, data and the counters that make its state. Single-threaded:
// one engine thread calls it. Throws OutOfMemory; every other expected failure is a Result.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/base/result.h"
#include "engine/train/palette_view.h"
#include "engine/train/train_spec.h"

namespace lathe {

class TokenSource;  // engine/data/token_source.h

// What one optimizer step tells.
struct StepReport {
  std::int64_t step = 0;  // 1 for the first
  double loss = 0;        // mean nats per target over the whole accumulated batch
  double accuracy = 0;    // share of targets that are the argmax
  double lr = 0;
  double grad_norm = 0;     // before clipping
  std::int64_t tokens = 0;  // put through the model in training so far
  double step_secs = 0;     // of steps that were waited for together, their time shared equally
  double flops = 0;         // of the ops issued
  LedgerSnapshot live;      // after the step
  LedgerSnapshot peak;      // within the step
  // Under GaLore: |R|^2 / |G|^2 of the gradients that chose projections, mean of the slots; of
  // steps that chose.
  std::optional<double> kept_energy = {};
};

struct EvalReport {
  double loss = 0;
  double perplexity = 0;
  double accuracy = 0;
  std::int64_t tokens = 0;
  // Where weights are read through palettes: all above is of the nearest centroids, this of what
  // training reads.
  std::optional<double> soft_loss = {};
};

// Of a slot whose input VeLoRA projects, on one batch.
struct SubtokenProbe {
  std::string slot;        // "layers.3.mlp.down"
  double kept_energy = 0;  // |z|^2 / |x|^2
  double cosine = 0;       // between the exact gradient and that of projections
};

// Knobs that may change while a run trains; applied between steps.
struct LiveKnobs {
  double lr = 0;
  double weight_decay = 0;
  double clip_norm = 0;
};

class Trainer {
 public:
  virtual ~Trainer() = default;

  // Issues one optimizer step. Appends the reports that have come, in the order of the steps: after
  // each train.metrics_every-th of them those of all that were on their way, else none. kDiverged
  // if the loss or the gradient norm of a step is not finite: reports of those before it are there,
  // and the weights and counters are those before it, also where further steps had been issued.
  virtual Result<void> advance(std::vector<StepReport>& reports) = 0;
  // Waits for the steps that are on their way; as advance().
  virtual Result<void> wait(std::vector<StepReport>& reports) = 0;
  // Both, for one step. Precondition for this and all below but the counters: none is on its way.
  Result<StepReport> step();
  // Loss, perplexity and next-token accuracy on the held-out part. Does not touch the training
  // state.
  virtual Result<EvalReport> evaluate() = 0;
  // Of all slots that have sub-tokens, on the same held-out rows each time, as many as a batch has.
  // As evaluate(), but for memory: about that of a step that computes blocks again.
  virtual std::vector<SubtokenProbe> probe() = 0;
  // Of all matrices that are read through palettes by now. As evaluate(), but not on meta.
  virtual std::vector<PaletteView> view_palettes() = 0;

  // Of those issued.
  virtual std::int64_t steps_done() const = 0;
  virtual std::int64_t parameter_count() const = 0;
  // Bytes of the weights as they would be stored.
  virtual std::int64_t stored_bytes() const = 0;
  virtual void set_live(const LiveKnobs& knobs) = 0;
  virtual LiveKnobs live() const = 0;

  // Writes weights, optimizer state and counters into `folder`, atomically (written beside, synced,
  // renamed). kDisk on failure; a former checkpoint of that name survives it.
  virtual Result<void> save(const std::string& folder) = 0;
  // Continues from a checkpoint of the same spec, to the very same bits. kData if it is unreadable,
  // damaged or of another spec.
  virtual Result<void> load(const std::string& folder) = 0;
  // A digest of all parameters but those that are used as a file stores them, for replay.
  virtual std::string parameter_digest() = 0;
  virtual Backend& backend() = 0;
  // The model as it is now, to be measured.
  virtual Transformer& transformer() = 0;
};

// Builds the model on the back end and initialises it from the seed, or from spec.base. On meta
// `data` may be null. Errors are all config errors at once (kUsage); warnings go to `warnings`.
Result<std::unique_ptr<Trainer>> make_trainer(Backend& backend, const TrainSpec& spec,
                                              std::shared_ptr<const TokenSource> data,
                                              std::vector<std::string>& warnings);

// What `lathe plan` and the sliders show. `params` of the spec with vocab_size resolved by the
// caller.
struct PlanReport {
  std::int64_t parameters = 0;
  std::int64_t dense_parameters = 0;  // of the same model without any method
  std::int64_t stored_bytes = 0;
  LedgerSnapshot peak;
  std::string peak_phase;
  std::vector<LayerBytes> peak_by_layer;
  double flops_per_step = 0;
  double bytes_per_step = 0;
  // Of a spec with VeLoRA: the inputs of trained slots of one pass as its paper counts them
  // (engine/methods/velora/paper_count.h), else 0.
  std::int64_t paper_input_bytes = 0;
  std::vector<std::string> warnings;
};

// One step on meta, for a machine of that shape. spec.model.vocab_size must be set.
Result<PlanReport> plan_step(const TrainSpec& spec, const MachineShape& machine);

}  // namespace lathe
