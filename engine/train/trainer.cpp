// The trainer: batches, micro-batches, clipping, update, evaluation, checkpoints.
#include "engine/train/trainer.h"

#include <algorithm>
#include <cmath>

#include "engine/backend/sums.h"
#include "engine/base/hash.h"
#include "engine/data/token_source.h"
#include "engine/nn/transformer.h"
#include "engine/optim/adamw.h"
#include "engine/train/adapter_restarts.h"
#include "engine/train/batch_feed.h"
#include "engine/train/checkpoint.h"
#include "engine/train/data_checks.h"
#include "engine/train/model_plan.h"
#include "engine/train/palette_steps.h"
#include "engine/train/projection_schedule.h"
#include "engine/train/spec_digest.h"
#include "engine/train/step_graph.h"
#include "engine/train/step_records.h"
#include "engine/train/subtoken_probe.h"

namespace lathe {
namespace {

std::unique_ptr<Transformer> make_teacher(Backend& backend, const GivenModel* given) {
  if (given == nullptr) {
    return nullptr;
  }
  auto teacher =
      std::make_unique<Transformer>(backend, given->config, given->slots, TableMemory::kGiven);
  given->weights(backend, *teacher);
  return teacher;
}

// Freezes what is not to be trained; the value is what is.
std::vector<Parameter*> choose_trained(const std::vector<Parameter*>& all, TrainedParts parts,
                                       const std::vector<LinearPlan>& slots) {
  const bool alone = adapters_alone(slots);
  std::vector<Parameter*> trained;
  for (Parameter* parameter : all) {
    const bool wanted = alone ? parameter->role == ParameterRole::kAdapter ||
                                    parameter->role == ParameterRole::kClassifier
                              : is_trained(parts, parameter->role);
    parameter->frozen = parameter->frozen || !wanted;
    if (!parameter->frozen) {
      trained.push_back(parameter);
    }
  }
  return trained;
}

std::unique_ptr<BatchSource> batch_source(const TrainSpec& spec,
                                          const std::shared_ptr<const TokenSource>& data) {
  return data == nullptr
             ? nullptr
             : make_batch_source(data, {spec.train.batch_size, spec.train.seq_len,
                                        spec.train.grad_accum, spec.model.image.patch_size});
}

float mean_of(std::int64_t targets) {
  return 1.0f / static_cast<float>(targets);
}

class TransformerTrainer final : public Trainer {
 public:
  TransformerTrainer(Backend& backend, const TrainSpec& spec, const std::vector<LinearPlan>& slots,
                     const std::shared_ptr<const TokenSource>& data)
      : backend_(backend),
        spec_(spec),
        teacher_(make_teacher(backend, spec.teacher.get())),
        model_(backend, spec.model, slots, table_memory(spec, slots),
               weight_dtype(spec.train.weights)),
        all_(model_.parameters()),
        optimizer_(backend, choose_trained(all_, spec.train.parts, slots),
                   static_cast<std::uint64_t>(spec.seed),
                   spec.train.weights == WeightStore::kBf16Master, spec.optim.state),
        records_(backend, spec.train.metrics_every, optimizer_.parameters()),
        graph_(backend, spec.train.graph),
        restarts_(slots),
        projections_(model_.projections()),
        palettes_(model_.palettes()),
        feed_(backend, spec, batch_source(spec, data)),
        parameters_(count_parameters(spec.model, slots)) {
    state_.knobs = {spec.optim.lr, spec.optim.weight_decay, spec.optim.clip_norm};
    state_.spec_digest = spec_digest(spec);
    if (data != nullptr) {
      state_.data_digest = data->info().digest;
    }
    model_.keep_activations(spec.train.activations, spec.train.recompute);
    if (spec.base != nullptr) {
      spec.base->weights(backend, model_);
      if (has_new_head(spec)) {
        model_.initialise_head(static_cast<std::uint64_t>(spec.seed));
      }
    } else {
      model_.initialise(static_cast<std::uint64_t>(spec.seed));
    }
    model_.start_adapters(static_cast<std::uint64_t>(spec.seed), 0);
    if (spec.base != nullptr && spec.base->adapters) {
      spec.base->adapters(backend, model_);
    }
  }

  // Those that begin before the first step, so that what is measured there is what they make.
  Result<void> begin_palettes() { return palettes_.begin(0); }
  Result<void> advance(std::vector<StepReport>& reports) override;
  Result<void> wait(std::vector<StepReport>& reports) override;
  Result<EvalReport> evaluate() override;
  std::vector<SubtokenProbe> probe() override;
  std::vector<PaletteView> view_palettes() override {
    check_idle();
    return palettes_.view(backend_);
  }
  std::int64_t steps_done() const override { return state_.step; }
  std::int64_t parameter_count() const override { return parameters_; }
  std::int64_t stored_bytes() const override;
  void set_live(const LiveKnobs& knobs) override {
    check_idle();
    state_.knobs = knobs;
  }
  LiveKnobs live() const override { return state_.knobs; }
  Result<void> save(const std::string& folder) override {
    check_idle();
    return write_checkpoint(folder, backend_, trained_model(), state_);
  }
  Result<void> load(const std::string& folder) override;
  std::string parameter_digest() override;
  Backend& backend() override { return backend_; }
  Transformer& transformer() override {
    check_idle();
    return model_;
  }

 private:
  TrainedModel trained_model() {
    return {all_, &optimizer_, model_.subtokens(), model_.projections(), palettes_.all()};
  }
  CrossEntropySums evaluate_sums();
  void check_idle() const { CHECK(records_.on_their_way() == 0, "steps are on their way"); }
  void issue_step();
  void compute_step(const StepRecords::Row& row, const OptimConfig& config, double lr,
                    std::int64_t targets);
  Error divergence(const BrokenStep& broken);

  Backend& backend_;
  TrainSpec spec_;
  std::unique_ptr<Transformer> teacher_;  // null without one
  Transformer model_;
  std::vector<Parameter*> all_;  // of the model, trained or not
  AdamW optimizer_;
  StepRecords records_;
  StepGraph graph_;
  AdapterRestarts restarts_;
  ProjectionSchedule projections_;
  PaletteSteps palettes_;
  BatchFeed feed_;
  std::int64_t parameters_;
  TrainState state_;
};

// With a graph, nothing here but what lies on the device differs from step to step.
void TransformerTrainer::compute_step(const StepRecords::Row& row, const OptimConfig& config,
                                      double lr, std::int64_t targets) {
  clear_sums(backend_, row.entropy);
  const GradientScale scale =
      graph_.on() ? GradientScale(graph_.gradient_scale()) : GradientScale(mean_of(targets));
  const Teacher teacher{.model = teacher_.get(),
                        .weight = static_cast<float>(spec_.distill.weight),
                        .temperature = static_cast<float>(spec_.distill.temperature)};
  const PaletteSteps::Soft soft(palettes_);
  for (std::int64_t micro = 0; micro < spec_.train.grad_accum; ++micro) {
    const TrainBatch batch = feed_.train_batch(state_.step, micro);
    model_.draw_dropout({.seed = static_cast<std::uint64_t>(spec_.seed),
                         .step = state_.step + 1,
                         .step_at = graph_.on() ? graph_.step() : TensorRef{},
                         .first_row = micro * feed_.shape().tokens()});
    model_.train(batch.ids, batch.targets, batch.shape, spec_.train.logit_chunk, scale, row.entropy,
                 {}, teacher);
  }
  palettes_.finish();
  backend_.ledger().set_phase("optimizer");
  optimizer_.measure(row.squares, row.total);
  optimizer_.step(config, lr, state_.step + 1,
                  {.squares = row.total,
                   .loss = sums_at(row.entropy, 0, 1),
                   .refused = records_.refused(),
                   .values = graph_.on() ? graph_.update_values() : TensorRef{}});
  optimizer_.drop_gradients();
}

// The steps from the broken one on were not taken.
Error TransformerTrainer::divergence(const BrokenStep& broken) {
  state_.step = broken.step - 1;
  state_.tokens = broken.tokens_before;
  return {ErrorKind::kDiverged,
          "loss " + std::to_string(broken.loss) + " and gradient norm " +
              std::to_string(broken.grad_norm) + " at step " + std::to_string(broken.step) +
              " are not both finite" +
              (broken.parameter.empty() ? "" : ", first in the gradient of " + broken.parameter),
          "lower lr (now " + std::to_string(state_.knobs.lr) +
              "), lengthen the warm-up or set clip_norm; the weights are those of step " +
              std::to_string(state_.step)};
}

void TransformerTrainer::issue_step() {
  optimizer_.drop_gradients();  // of a step that ended by OutOfMemory
  palettes_.forget();
  const StepRecords::Row row = records_.begin_step();
  const std::int64_t targets = feed_.count_targets(state_.step);
  const std::int64_t step = state_.step + 1;
  const double lr = learning_rate(spec_.optim, state_.knobs.lr, step, spec_.train.steps) *
                    restarts_.rate_share(step);
  OptimConfig config = spec_.optim;
  config.weight_decay = state_.knobs.weight_decay;
  config.clip_norm = state_.knobs.clip_norm;
  if (graph_.on()) {
    feed_.settle(state_.step);
    graph_.write_values(optimizer_.values(config, lr, step), mean_of(targets));
  }
  const bool chooses = projections_.chooses_after(state_.step);
  projections_.begin_step(state_.step);
  const StepCost& cost = graph_.run([&] { compute_step(row, config, lr, targets); }, !chooses);
  const std::int64_t tokens = feed_.shape().tokens() * spec_.train.grad_accum;
  state_.step = step;
  state_.tokens += tokens;
  records_.end_step({.step = step,
                     .lr = lr,
                     .tokens = state_.tokens,
                     .flops = cost.counters.total_flops(),
                     .live = cost.live,
                     .peak = cost.peak,
                     .kept_energy = projections_.kept_energy()},
                    targets, tokens);
}

Result<void> TransformerTrainer::advance(std::vector<StepReport>& reports) {
  const bool restarts = restarts_.due(state_.step);
  const bool begins = state_.step > 0 && palettes_.begins_after(state_.step);
  if (restarts || begins || projections_.chooses_after(state_.step)) {
    if (const Result<void> done = wait(reports); !done) {
      return done;
    }
  }
  if (begins) {
    if (const Result<void> begun = palettes_.begin(state_.step); !begun) {
      return begun;
    }
    graph_.begin_anew();
  }
  if (restarts) {
    restarts_.restart(backend_, model_, optimizer_, static_cast<std::uint64_t>(spec_.seed),
                      state_.step);
  }
  issue_step();
  const bool full = records_.on_their_way() == spec_.train.metrics_every;
  return full ? wait(reports) : Result<void>();
}

Result<void> TransformerTrainer::wait(std::vector<StepReport>& reports) {
  const auto broken = records_.take(reports);
  return broken ? Result<void>(divergence(*broken)) : Result<void>();
}

CrossEntropySums TransformerTrainer::evaluate_sums() {
  const std::vector<std::int64_t> windows = feed_.evaluated_windows();
  const auto batch_size = static_cast<std::size_t>(feed_.shape().batch);
  const Tensor on_device = make_sums(backend_, "evaluation", "sums");
  for (std::size_t first = 0; first < windows.size(); first += batch_size) {
    feed_.with_heldout_batch(std::span(windows).subspan(first, batch_size),
                             [&](const TrainBatch& batch) {
                               model_.evaluate(batch.ids, batch.targets, batch.shape,
                                               spec_.train.logit_chunk, on_device);
                             });
  }
  return read_cross_entropy(backend_, on_device);
}

Result<EvalReport> TransformerTrainer::evaluate() {
  check_idle();
  const CrossEntropySums sums = evaluate_sums();
  if (!std::isfinite(sums.loss)) {
    return Error{ErrorKind::kDiverged,
                 "the held-out loss at step " + std::to_string(state_.step) + " is not finite",
                 "lower lr or set clip_norm"};
  }
  const auto counted = static_cast<double>(std::max<std::int64_t>(1, sums.counted));
  const double loss = sums.loss / counted;
  EvalReport report{.loss = loss,
                    .perplexity = std::exp(loss),
                    .accuracy = static_cast<double>(sums.correct) / counted,
                    .tokens = sums.counted};
  if (palettes_.begun()) {
    const PaletteSteps::Soft soft(palettes_);
    report.soft_loss = evaluate_sums().loss / counted;
    palettes_.forget();
  }
  return report;
}

std::vector<SubtokenProbe> TransformerTrainer::probe() {
  check_idle();
  std::vector<std::int64_t> windows = feed_.evaluated_windows();
  windows.resize(std::min(windows.size(), static_cast<std::size_t>(feed_.shape().batch)));
  std::vector<SubtokenProbe> probes;
  // Inputs are wanted whole, one block's at a time.
  model_.keep_activations(spec_.train.activations, Recompute::kBlocks);
  model_.draw_dropout({.seed = static_cast<std::uint64_t>(spec_.seed), .step = state_.step});
  const PaletteSteps::Soft soft(palettes_);
  feed_.with_heldout_batch(windows, [&](const TrainBatch& batch) {
    probes = probe_subtokens(backend_, model_, batch, spec_.train.logit_chunk);
  });
  optimizer_.drop_gradients();
  palettes_.forget();
  model_.keep_activations(spec_.train.activations, spec_.train.recompute);
  return probes;
}

Result<void> TransformerTrainer::load(const std::string& folder) {
  check_idle();
  const Result<TrainState> state = read_checkpoint(folder, backend_, trained_model(), state_);
  if (!state) {
    return state.error();
  }
  state_ = *state;
  palettes_.filled();
  return {};
}

std::int64_t TransformerTrainer::stored_bytes() const {
  std::int64_t bytes = 0;
  for (const Parameter* parameter : all_) {
    bytes += parameter->weight.ref().bytes();
  }
  return bytes - palettes_.saved_bytes(all_);
}

std::string TransformerTrainer::parameter_digest() {
  check_idle();
  Sha256 digest;
  std::vector<std::byte> host;
  for (const Parameter* parameter : all_) {
    if (parameter->given) {
      continue;
    }
    const TensorRef weight = parameter->weight;
    host.resize(static_cast<std::size_t>(weight.bytes()));
    backend_.read(weight, host.data(), weight.bytes());
    digest.update(host.data(), host.size());
  }
  return digest.hex();
}

}  // namespace

Result<StepReport> Trainer::step() {
  std::vector<StepReport> reports;
  Result<void> done = advance(reports);
  if (done) {
    done = wait(reports);
  }
  return done ? Result<StepReport>(reports.back()) : Result<StepReport>(done.error());
}

Result<std::unique_ptr<Trainer>> make_trainer(Backend& backend, const TrainSpec& spec,
                                              std::shared_ptr<const TokenSource> data,
                                              std::vector<std::string>& warnings) {
  TrainSpec resolved = spec;
  settle_images(resolved);
  if (resolved.model.vocab_size == 0 && data != nullptr) {
    resolved.model.vocab_size = data->info().vocab_size;
  }
  CHECK(resolved.model.vocab_size > 0, "the vocabulary is known before the model is built");
  if (data != nullptr) {
    if (const Result<void> fits = check_data(resolved, *data); !fits) {
      return fits.error();
    }
  }
  if (spec.train.graph && backend.computes() && !backend.records()) {
    return Error{ErrorKind::kUsage,
                 "train.graph=true needs a CUDA device, and the run is on " + backend.info().name,
                 "set train.graph=false, or choose a CUDA device"};
  }
  if (spec.train.frozen != FrozenStore::kFile && spec.model.from.empty() && backend.computes()) {
    return Error{ErrorKind::kUsage,
                 "train.frozen=" + std::string(enum_name(spec.train.frozen)) +
                     " rounds the matrices of a model, and model.from is empty",
                 "name the model as model.from, or plan with `lathe plan`"};
  }
  const auto slots = plan_slots(resolved, warnings);
  if (!slots) {
    return slots.error();
  }
  auto trainer = std::make_unique<TransformerTrainer>(backend, resolved, *slots, data);
  const Result<void> begun = trainer->begin_palettes();
  return begun ? Result<std::unique_ptr<Trainer>>(std::move(trainer)) : begun.error();
}

}  // namespace lathe
