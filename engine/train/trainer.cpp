// The trainer: batches, micro-batches, clipping, update, evaluation, checkpoints.
#include "engine/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>

#include "engine/base/hash.h"
#include "engine/data/batch_source.h"
#include "engine/data/token_source.h"
#include "engine/nn/transformer.h"
#include "engine/optim/adamw.h"
#include "engine/train/checkpoint.h"
#include "engine/train/model_plan.h"

namespace lathe {
namespace {

// A digest of all that decides the tensors of a run.
std::string spec_digest(const TrainSpec& spec) {
  return sha256_hex(Json{
      {"seed", spec.seed},
      {"model", to_json(spec.model)},
      {"data", to_json(spec.data)},
      {"train", to_json(spec.train)},
      {"optim", to_json(spec.optim)},
      {"method",
       spec.method}}.dump());
}

// One micro-batch on the device; `shape` names its positions and first keys where rows are packed.
struct Batch {
  Tensor ids;
  Tensor targets;
  Tensor positions;
  Tensor first_key;
  BatchShape shape;
};

class TransformerTrainer final : public Trainer {
 public:
  TransformerTrainer(Backend& backend, const TrainSpec& spec, const std::vector<LinearPlan>& slots,
                     std::shared_ptr<const TokenSource> data, const InitialWeights& weights)
      : backend_(backend),
        spec_(spec),
        packs_(spec.data.kind != DataKind::kText),
        shape_{spec.train.batch_size, spec.train.seq_len},
        model_(backend, spec.model, slots),
        optimizer_(backend, model_.parameters()),
        parameters_(count_parameters(spec.model, slots)) {
    state_.knobs = {spec.optim.lr, spec.optim.weight_decay, spec.optim.clip_norm};
    state_.spec_digest = spec_digest(spec);
    if (data != nullptr) {
      state_.data_digest = data->info().digest;
      rows_ = make_batch_source(std::move(data),
                                {spec.train.batch_size, spec.train.seq_len, spec.train.grad_accum});
    }
    if (weights) {
      weights(backend, model_);
    } else {
      model_.initialise(static_cast<std::uint64_t>(spec.seed));
    }
  }

  Result<StepReport> step() override;
  Result<EvalReport> evaluate() override;
  std::int64_t steps_done() const override { return state_.step; }
  std::int64_t parameter_count() const override { return parameters_; }
  std::int64_t stored_bytes() const override { return parameters_ * size_bytes(DType::kF32); }
  void set_live(const LiveKnobs& knobs) override { state_.knobs = knobs; }
  LiveKnobs live() const override { return state_.knobs; }
  Result<void> save(const std::string& folder) override {
    return write_checkpoint(folder, backend_, optimizer_, state_);
  }
  Result<void> load(const std::string& folder) override;
  std::string parameter_digest() override;
  Backend& backend() override { return backend_; }

 private:
  Batch load_batch(const std::function<void(const BatchRows&)>& fill);
  std::vector<std::int64_t> evaluated_windows() const;
  std::int64_t count_targets();
  CrossEntropySums accumulate_gradients(float grad_scale);
  Result<double> checked_norm(double loss);

  Backend& backend_;
  TrainSpec spec_;
  std::unique_ptr<BatchSource> rows_;  // null on meta
  bool packs_;                         // rows hold several samples
  BatchShape shape_;
  Transformer model_;
  AdamW optimizer_;
  std::int64_t parameters_;
  TrainState state_;
};

// Has the rows of a micro-batch filled in and copies them to the device.
Batch TransformerTrainer::load_batch(const std::function<void(const BatchRows&)>& fill) {
  const Shape shape{shape_.batch, shape_.seq_len};
  const auto on_device = [&](const char* name) {
    return workspace(backend_, "batch", name, shape, DType::kI32);
  };
  Batch batch{.ids = on_device("ids"),
              .targets = on_device("targets"),
              .positions = {},
              .first_key = {},
              .shape = shape_};
  if (packs_) {
    batch.positions = on_device("positions");
    batch.first_key = on_device("first_key");
    batch.shape.positions = batch.positions;
    batch.shape.first_key = batch.first_key;
  }
  if (rows_ == nullptr) {
    return batch;
  }
  const auto tokens = static_cast<std::size_t>(shape_.tokens());
  std::vector<std::int32_t> host(tokens * (packs_ ? 4 : 2));
  const std::span<std::int32_t> all(host);
  BatchRows rows{.ids = all.first(tokens),
                 .targets = all.subspan(tokens, tokens),
                 .positions = {},
                 .first_key = {}};
  if (packs_) {
    rows.positions = all.subspan(2 * tokens, tokens);
    rows.first_key = all.subspan(3 * tokens, tokens);
  }
  fill(rows);
  backend_.write(batch.ids, rows.ids.data(), batch.ids.ref().bytes());
  backend_.write(batch.targets, rows.targets.data(), batch.targets.ref().bytes());
  if (packs_) {
    backend_.write(batch.positions, rows.positions.data(), batch.positions.ref().bytes());
    backend_.write(batch.first_key, rows.first_key.data(), batch.first_key.ref().bytes());
  }
  return batch;
}

// The targets that the next step is the mean of.
std::int64_t TransformerTrainer::count_targets() {
  if (rows_ == nullptr) {
    return shape_.tokens() * spec_.train.grad_accum;
  }
  std::int64_t count = 0;
  for (std::int64_t micro = 0; micro < spec_.train.grad_accum; ++micro) {
    count += rows_->train_targets(static_cast<std::uint64_t>(spec_.seed), state_.step, micro);
  }
  return std::max<std::int64_t>(1, count);
}

CrossEntropySums TransformerTrainer::accumulate_gradients(float grad_scale) {
  CrossEntropySums sums;
  const ResultScope scope(backend_);
  for (std::int64_t micro = 0; micro < spec_.train.grad_accum; ++micro) {
    const Batch batch = load_batch([&](const BatchRows& rows) {
      rows_->train_rows(static_cast<std::uint64_t>(spec_.seed), state_.step, micro, rows);
    });
    model_.train(batch.ids, batch.targets, batch.shape, spec_.train.logit_chunk, grad_scale, &sums);
  }
  backend_.synchronize();
  return sums;
}

// The gradient norm, or kDiverged naming the first tensor that is not finite.
Result<double> TransformerTrainer::checked_norm(double loss) {
  const double norm = optimizer_.gradient_norm();
  if (std::isfinite(loss) && std::isfinite(norm)) {
    return norm;
  }
  std::string where;
  const ResultScope scope(backend_);
  double squares = 0;
  for (const Parameter* parameter : optimizer_.parameters()) {
    ops::sum_squares(backend_, {.x = parameter->gradient, .result = &squares});
    backend_.synchronize();
    if (!std::isfinite(squares)) {
      where = ", first in the gradient of " + parameter->name;
      break;
    }
  }
  optimizer_.drop_gradients();
  return Error{ErrorKind::kDiverged,
               "loss " + std::to_string(loss) + " and gradient norm " + std::to_string(norm) +
                   " at step " + std::to_string(state_.step + 1) + " are not both finite" + where,
               "lower lr (now " + std::to_string(state_.knobs.lr) +
                   "), lengthen the warm-up or set clip_norm; the weights are those of step " +
                   std::to_string(state_.step)};
}

Result<StepReport> TransformerTrainer::step() {
  const auto begin = std::chrono::steady_clock::now();
  Ledger& ledger = backend_.ledger();
  ledger.reset_peak();
  backend_.counters() = OpCounters{};
  optimizer_.drop_gradients();  // of a step that ended by OutOfMemory
  const std::int64_t tokens = shape_.tokens() * spec_.train.grad_accum;
  const std::int64_t targets = count_targets();
  const CrossEntropySums sums = accumulate_gradients(1.0f / static_cast<float>(targets));
  ledger.set_phase("optimizer");
  const double loss = sums.loss / static_cast<double>(targets);
  const Result<double> norm = checked_norm(loss);
  if (!norm) {
    return norm.error();
  }
  const std::int64_t step = state_.step + 1;
  const double lr = learning_rate(spec_.optim, state_.knobs.lr, step, spec_.train.steps);
  const double clip = state_.knobs.clip_norm;
  const double scale = clip > 0 && *norm > clip ? clip / *norm : 1.0;
  OptimConfig config = spec_.optim;
  config.weight_decay = state_.knobs.weight_decay;
  optimizer_.step(config, lr, scale, step);
  optimizer_.drop_gradients();
  backend_.synchronize();
  state_.step = step;
  state_.tokens += tokens;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return StepReport{.step = step,
                    .loss = loss,
                    .accuracy = static_cast<double>(sums.correct) / static_cast<double>(targets),
                    .lr = lr,
                    .grad_norm = *norm,
                    .tokens = state_.tokens,
                    .step_secs = took.count(),
                    .flops = backend_.counters().total_flops(),
                    .live = ledger.live(),
                    .peak = ledger.peak()};
}

// The windows that an evaluation reads, spread evenly over the held-out part: its first files alone
// would not stand for it. Always the same for the same corpus and spec.
std::vector<std::int64_t> TransformerTrainer::evaluated_windows() const {
  const std::int64_t available = rows_ == nullptr ? 1 : rows_->heldout_windows();
  const std::int64_t all_batches = (available + shape_.batch - 1) / shape_.batch;
  const std::int64_t batches =
      rows_ == nullptr ? spec_.train.eval_batches : std::min(spec_.train.eval_batches, all_batches);
  const std::int64_t count = batches * shape_.batch;
  std::vector<std::int64_t> windows;
  for (std::int64_t i = 0; i < count; ++i) {
    windows.push_back(count <= available ? i * available / count : i % available);
  }
  return windows;
}

Result<EvalReport> TransformerTrainer::evaluate() {
  const std::vector<std::int64_t> windows = evaluated_windows();
  const auto batch_size = static_cast<std::size_t>(shape_.batch);
  CrossEntropySums sums;
  const ResultScope scope(backend_);
  for (std::size_t first = 0; first < windows.size(); first += batch_size) {
    const Batch batch = load_batch([&](const BatchRows& rows) {
      rows_->heldout_rows(std::span(windows).subspan(first, batch_size), rows);
    });
    model_.evaluate(batch.ids, batch.targets, batch.shape, spec_.train.logit_chunk, &sums);
  }
  backend_.synchronize();
  if (!std::isfinite(sums.loss)) {
    return Error{ErrorKind::kDiverged,
                 "the held-out loss at step " + std::to_string(state_.step) + " is not finite",
                 "lower lr or set clip_norm"};
  }
  const auto counted = static_cast<double>(std::max<std::int64_t>(1, sums.counted));
  const double loss = sums.loss / counted;
  return EvalReport{.loss = loss,
                    .perplexity = std::exp(loss),
                    .accuracy = static_cast<double>(sums.correct) / counted,
                    .tokens = sums.counted};
}

Result<void> TransformerTrainer::load(const std::string& folder) {
  const Result<TrainState> state = read_checkpoint(folder, backend_, optimizer_, state_);
  if (!state) {
    return state.error();
  }
  state_ = *state;
  return {};
}

std::string TransformerTrainer::parameter_digest() {
  Sha256 digest;
  std::vector<std::byte> host;
  for (const Parameter* parameter : optimizer_.parameters()) {
    const TensorRef weight = parameter->weight;
    host.resize(static_cast<std::size_t>(weight.bytes()));
    backend_.read(weight, host.data(), weight.bytes());
    digest.update(host.data(), host.size());
  }
  return digest.hex();
}

}  // namespace

Result<std::unique_ptr<Trainer>> make_trainer(Backend& backend, const TrainSpec& spec,
                                              std::shared_ptr<const TokenSource> data,
                                              std::vector<std::string>& warnings,
                                              const InitialWeights& weights) {
  TrainSpec resolved = spec;
  if (resolved.model.vocab_size == 0 && data != nullptr) {
    resolved.model.vocab_size = data->info().vocab_size;
  }
  CHECK(resolved.model.vocab_size > 0, "the vocabulary is known before the model is built");
  if (data != nullptr && resolved.model.vocab_size < data->info().vocab_size) {
    return Error{ErrorKind::kUsage,
                 "model.vocab_size=" + std::to_string(resolved.model.vocab_size) +
                     " is smaller than the tokenizer's " + std::to_string(data->info().vocab_size),
                 "leave model.vocab_size at 0, or make it at least as large"};
  }
  if (const bool samples = spec.data.kind != DataKind::kText;
      data != nullptr && samples == data->samples(Split::kTrain).begins.empty()) {
    return Error{ErrorKind::kUsage,
                 std::string("the corpus holds ") + (samples ? "running text" : "samples") +
                     ", and data.kind is " + std::string(enum_name(spec.data.kind)),
                 "set data.kind to what the corpus holds"};
  }
  const auto slots = plan_slots(resolved, warnings);
  if (!slots) {
    return slots.error();
  }
  return std::unique_ptr<Trainer>(

      std::make_unique<TransformerTrainer>(backend, resolved, *slots, std::move(data), weights));
}

}  // namespace lathe
