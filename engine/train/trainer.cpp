// The trainer: batches, micro-batches, clipping, update, evaluation, checkpoints.
#include "engine/train/trainer.h"

#include <chrono>
#include <cmath>

#include "engine/base/hash.h"
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

// Input and target ids of one micro-batch on the device.
struct Batch {
  Tensor ids;
  Tensor targets;
};

class TransformerTrainer final : public Trainer {
 public:
  TransformerTrainer(Backend& backend, const TrainSpec& spec, const std::vector<LinearPlan>& slots,
                     std::shared_ptr<const TokenSource> data)
      : backend_(backend),
        spec_(spec),
        data_(std::move(data)),
        shape_{spec.train.batch_size, spec.train.seq_len},
        model_(backend, spec.model, slots),
        optimizer_(backend, model_.parameters()),
        parameters_(count_parameters(spec.model, slots)) {
    state_.knobs = {spec.optim.lr, spec.optim.weight_decay, spec.optim.clip_norm};
    state_.spec_digest = spec_digest(spec);
    state_.data_digest = data_ == nullptr ? "" : data_->info().digest;
    model_.initialise(static_cast<std::uint64_t>(spec.seed));
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
  Batch load_batch(Split split, std::span<const std::int64_t> offsets);
  std::vector<std::int64_t> heldout_offsets() const;
  CrossEntropySums accumulate_gradients(float grad_scale);
  Result<double> checked_norm(double loss);

  Backend& backend_;
  TrainSpec spec_;
  std::shared_ptr<const TokenSource> data_;
  BatchShape shape_;
  Transformer model_;
  AdamW optimizer_;
  std::int64_t parameters_;
  TrainState state_;
};

// Copies sequences of seq_len + 1 tokens to the device as inputs and their successors.
Batch TransformerTrainer::load_batch(Split split, std::span<const std::int64_t> offsets) {
  const Shape shape{shape_.batch, shape_.seq_len};
  Batch batch{workspace(backend_, "batch", "ids", shape, DType::kI32),
              workspace(backend_, "batch", "targets", shape, DType::kI32)};
  if (!backend_.computes()) {
    return batch;
  }
  const std::span<const std::int32_t> stream = data_->tokens(split);
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> targets;
  for (const std::int64_t offset : offsets) {
    const auto first = stream.begin() + offset;
    ids.insert(ids.end(), first, first + shape_.seq_len);
    targets.insert(targets.end(), first + 1, first + 1 + shape_.seq_len);
  }
  backend_.write(batch.ids, ids.data(), batch.ids.ref().bytes());
  backend_.write(batch.targets, targets.data(), batch.targets.ref().bytes());
  return batch;
}

CrossEntropySums TransformerTrainer::accumulate_gradients(float grad_scale) {
  CrossEntropySums sums;
  std::vector<std::int64_t> offsets(static_cast<std::size_t>(shape_.batch));
  for (std::int64_t micro = 0; micro < spec_.train.grad_accum; ++micro) {
    if (data_ != nullptr) {
      batch_offsets(static_cast<std::int64_t>(data_->tokens(Split::kTrain).size()), shape_.seq_len,
                    static_cast<std::uint64_t>(spec_.seed), state_.step, micro, offsets);
    }
    const Batch batch = load_batch(Split::kTrain, offsets);
    model_.train(batch.ids, batch.targets, shape_, spec_.train.logit_chunk, grad_scale, &sums);
  }
  return sums;
}

// The gradient norm, or kDiverged naming the first tensor that is not finite.
Result<double> TransformerTrainer::checked_norm(double loss) {
  const double norm = optimizer_.gradient_norm();
  if (std::isfinite(loss) && std::isfinite(norm)) {
    return norm;
  }
  std::string where;
  for (const Parameter* parameter : optimizer_.parameters()) {
    double squares = 0;
    ops::sum_squares(backend_, {.x = parameter->gradient, .result = &squares});
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
  const CrossEntropySums sums = accumulate_gradients(1.0f / static_cast<float>(tokens));
  ledger.set_phase("optimizer");
  const double loss = sums.loss / static_cast<double>(tokens);
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
                    .accuracy = static_cast<double>(sums.correct) / static_cast<double>(tokens),
                    .lr = lr,
                    .grad_norm = *norm,
                    .tokens = state_.tokens,
                    .step_secs = took.count(),
                    .flops = backend_.counters().total_flops(),
                    .live = ledger.live(),
                    .peak = ledger.peak()};
}

// The windows of seq_len tokens that an evaluation reads, spread evenly over the held-out stream:
// its first files alone would not stand for it. Always the same for the same corpus and spec.
std::vector<std::int64_t> TransformerTrainer::heldout_offsets() const {
  const std::int64_t held =
      data_ == nullptr ? 0 : static_cast<std::int64_t>(data_->tokens(Split::kHeldout).size());
  const std::int64_t windows = std::max<std::int64_t>(1, (held - 1) / shape_.seq_len);
  const std::int64_t all_batches = (windows + shape_.batch - 1) / shape_.batch;
  const std::int64_t batches =
      data_ == nullptr ? spec_.train.eval_batches : std::min(spec_.train.eval_batches, all_batches);
  const std::int64_t count = batches * shape_.batch;
  std::vector<std::int64_t> offsets;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t window = count <= windows ? i * windows / count : i % windows;
    offsets.push_back(window * shape_.seq_len);
  }
  return offsets;
}

Result<EvalReport> TransformerTrainer::evaluate() {
  const std::vector<std::int64_t> offsets = heldout_offsets();
  const auto batch_size = static_cast<std::size_t>(shape_.batch);
  CrossEntropySums sums;
  for (std::size_t first = 0; first < offsets.size(); first += batch_size) {
    const Batch batch = load_batch(Split::kHeldout, std::span(offsets).subspan(first, batch_size));
    model_.evaluate(batch.ids, batch.targets, shape_, spec_.train.logit_chunk, &sums);
  }
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
                                              std::vector<std::string>& warnings) {
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
  const auto slots = plan_slots(resolved, warnings);
  if (!slots) {
    return slots.error();
  }
  return std::unique_ptr<Trainer>(
      std::make_unique<TransformerTrainer>(backend, resolved, *slots, std::move(data)));
}

}  // namespace lathe
