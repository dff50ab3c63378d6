// The whole model: embedding, blocks, chunked head and loss.
#include "engine/nn/transformer.h"

#include <algorithm>

#include "engine/nn/weight_product.h"

namespace lathe {
namespace {

constexpr std::int64_t kLogitChunkBytes = std::int64_t{16} << 20;
// Streams of the generator: the embedding, the head, learned positions, then the slots in order.
constexpr std::uint64_t kEmbeddingStream = 1;
constexpr std::uint64_t kHeadStream = 2;
constexpr std::uint64_t kPositionStream = 3;
constexpr std::uint64_t kFirstSlotStream = 16;
// Those of adapters: a range for each cycle.
constexpr std::uint64_t kFirstAdapterStream = std::uint64_t{1} << 40;
constexpr std::uint64_t kAdapterStreams = std::uint64_t{1} << 20;

// Elements [first, first + count) of a vector, or nothing of an undefined one.
TensorRef elements_of(TensorRef vector, std::int64_t first, std::int64_t count) {
  if (!vector.defined()) {
    return {};
  }
  const TensorRef column = vector.reshaped(Shape{vector.elements(), 1});
  return column.row_range(first, count).reshaped(Shape{count});
}

// The embedding, or the head.
Parameter make_table(Backend& backend, const std::string& layer, const ModelConfig& model,
                     TableMemory memory, DType dtype) {
  const Shape shape{model.vocab_size, model.dim};
  return memory == TableMemory::kGiven
             ? make_frozen_parameter(layer, "weight", shape)
             : make_parameter(backend, layer, "weight", shape, true, dtype);
}

}  // namespace

std::int64_t logit_chunk_rows(std::int64_t wanted, std::int64_t vocab_size, std::int64_t tokens) {
  if (wanted > 0) {
    return std::min(wanted, tokens);
  }
  const std::int64_t rows = kLogitChunkBytes / (vocab_size * size_bytes(DType::kF32));
  return std::clamp<std::int64_t>(rows, 1, tokens);
}

Transformer::Transformer(Backend& backend, const ModelConfig& model,
                         const std::vector<LinearPlan>& plans, TableMemory tables, DType table_type)
    : backend_(&backend), model_(model), final_norm_(backend, model, "final_norm") {
  if (model.images()) {
    patches_ = std::make_unique<PatchEmbedding>(backend, model);
  } else {
    embedding_ =
        std::make_unique<Parameter>(make_table(backend, "embedding", model, tables, table_type));
    embedding_->role = ParameterRole::kTable;
  }
  const std::int64_t slots = model.slots_per_block();
  CHECK(static_cast<std::int64_t>(plans.size()) == model.layers * slots, "one plan per slot");
  for (std::int64_t i = 0; i < model.layers; ++i) {
    blocks_.push_back(std::make_unique<Block>(backend, model, i, plans.data() + i * slots));
  }
  if (model.positions == PositionKind::kLearned) {
    positions_ = std::make_unique<Parameter>(make_parameter(
        backend, "positions", "weight", Shape{model.position_rows(), model.dim}, true));
    positions_->role = ParameterRole::kTable;
  }
  if (!model.shares_head()) {
    const TableMemory memory = model.images() ? TableMemory::kOwned : tables;
    head_ = std::make_unique<Parameter>(make_table(backend, "head", model, memory, table_type));
  }
  if (model.images()) {
    head_bias_ = std::make_unique<Parameter>(
        make_parameter(backend, "head", "bias", Shape{model.vocab_size}, false));
    head_->role = head_bias_->role = ParameterRole::kClassifier;
  }
}

void Transformer::initialise(std::uint64_t seed) {
  const auto std_dev = static_cast<float>(model_.init_std);
  const auto draw = [&](Parameter& parameter, std::uint64_t stream) {
    draw_values(*backend_, parameter,
                {.out = {}, .seed = seed, .stream = stream, .stddev = std_dev});
  };
  if (patches_ != nullptr) {
    patches_->initialise(seed);
  } else {
    draw(*embedding_, kEmbeddingStream);
  }
  final_norm_.initialise();
  if (positions_ != nullptr) {
    draw(*positions_, kPositionStream);
  }
  initialise_head(seed);
  std::uint64_t stream = kFirstSlotStream;
  for (const auto& block : blocks_) {
    block->initialise(seed, stream);
    stream += static_cast<std::uint64_t>(model_.slots_per_block());
  }
}

void Transformer::initialise_head(std::uint64_t seed) {
  if (head_ != nullptr) {
    draw_values(*backend_, *head_,
                {.out = {},
                 .seed = seed,
                 .stream = kHeadStream,
                 .stddev = static_cast<float>(model_.init_std)});
  }
  if (head_bias_ != nullptr) {
    ops::fill(*backend_, {.out = head_bias_->weight, .value = 0.0f});
  }
}

void Transformer::start_adapters(std::uint64_t seed, std::uint64_t cycle) {
  std::uint64_t stream = kFirstAdapterStream + cycle * kAdapterStreams;
  for (const auto& block : blocks_) {
    block->start_adapters(seed, stream, cycle);
    stream += static_cast<std::uint64_t>(model_.slots_per_block());
  }
}

void Transformer::draw_dropout(const DropoutDraw& draw) {
  std::int64_t site = 0;
  for (const auto& block : blocks_) {
    block->draw_dropout(draw, site);
    site += model_.slots_per_block();
  }
}

Transformer::Sight Transformer::complete(const BatchShape& shape) {
  Sight sight{.positions = {}, .first_key = {}, .shape = shape};
  const auto tokens = static_cast<std::size_t>(shape.tokens());
  const std::int64_t length = shape.seq_len;
  std::vector<std::int32_t> rows(tokens);
  const auto written = [&](const char* name) {
    Tensor tensor = activation(*backend_, "embedding", name, Shape{shape.tokens()}, DType::kI32);
    backend_->write(tensor, rows.data(), tensor.ref().bytes());
    return tensor;
  };
  if (positions_ != nullptr && !shape.positions.defined()) {
    CHECK(length <= model_.position_rows(), "a sequence is no longer than the table of positions");
    for (std::size_t i = 0; i < tokens; ++i) {
      rows[i] = static_cast<std::int32_t>(static_cast<std::int64_t>(i) % length);
    }
    sight.positions = written("positions");
    sight.shape.positions = sight.positions;
  }
  if (model_.window > 0 && model_.window < length && !shape.first_key.defined()) {
    std::fill(rows.begin(), rows.end(), 0);
    limit_to_window(rows, length, model_.window);
    sight.first_key = written("first_key");
    sight.shape.first_key = sight.first_key;
  }
  return sight;
}

Tensor Transformer::embed(TensorRef ids, TensorRef positions) {
  backend_->ledger().set_phase("forward embedding");
  Tensor x;
  if (patches_ != nullptr) {
    x = patches_->forward(ids);
  } else {
    x = activation(*backend_, "embedding", "out", Shape{ids.elements(), model_.dim});
    ops::embedding_forward(*backend_, {.table = embedding_->weight, .ids = ids, .out = x});
  }
  if (positions_ != nullptr) {
    const Tensor place = workspace(*backend_, "positions", "out", x.shape());
    ops::embedding_forward(*backend_,
                           {.table = positions_->weight, .ids = positions, .out = place});
    ops::add(*backend_, {.a = x, .b = place, .out = x});
  }
  return x;
}

void Transformer::embed_backward(TensorRef ids, TensorRef positions, TensorRef dx) {
  backend_->ledger().set_phase("backward embedding");
  if (patches_ != nullptr) {
    patches_->backward(ids, dx);
  } else if (!embedding_->frozen) {
    ops::embedding_backward(
        *backend_,
        {.dout = dx, .ids = ids, .dtable = accumulating_gradient(*backend_, *embedding_)});
  }
  if (positions_ != nullptr && !positions_->frozen) {
    ops::embedding_backward(
        *backend_,
        {.dout = dx, .ids = positions, .dtable = accumulating_gradient(*backend_, *positions_)});
  }
}

TensorRef Transformer::head_weight() {
  return head_ != nullptr ? head_->weight.ref() : embedding_->weight.ref();
}

Tensor Transformer::final_state(TensorRef ids, const BatchShape& shape) {
  const Sight sight = complete(shape);
  Tensor x = embed(ids, sight.shape.positions);
  for (const auto& block : blocks_) {
    x = block->forward(std::move(x), sight.shape, nullptr);
  }
  return patches_ != nullptr ? patches_->pool(x) : std::move(x);
}

Tensor Transformer::head_input(TensorRef ids, const BatchShape& shape) {
  const Tensor x = final_state(ids, shape);
  Tensor normed = workspace(*backend_, "head", "taught", x.shape());
  final_norm_.forward(x, normed, nullptr);
  return normed;
}

void Transformer::chunk_loss(TensorRef normed, const CrossEntropyArgs& loss, const Taught& taught,
                             TensorRef teacher_logits) {
  multiply_forward(*backend_, "head", normed, head_weight(), loss.logits,
                   head_bias_ != nullptr ? head_bias_->weight.ref() : TensorRef{});
  if (taught.teacher.model != nullptr) {
    multiply_forward(*backend_, "head", taught.normed, taught.teacher.model->head_weight(),
                     teacher_logits);
    ops::distill_loss(*backend_, {.logits = loss.logits,
                                  .teacher = teacher_logits,
                                  .targets = loss.targets,
                                  .sums = loss.sums,
                                  .weight = taught.teacher.weight,
                                  .temperature = taught.teacher.temperature,
                                  .grad_scale = loss.grad_scale,
                                  .scale_at = loss.scale_at});
  } else {
    ops::cross_entropy(*backend_, loss);
  }
  if (!loss.write_gradient) {
    return;
  }
  if (head_bias_ != nullptr && !head_bias_->frozen) {
    ops::bias_backward(*backend_,
                       {.dy = loss.logits, .dbias = accumulating_gradient(*backend_, *head_bias_)});
  }
  if (Parameter& head = head_ != nullptr ? *head_ : *embedding_; !head.frozen) {
    const GradientSlot dw = gradient_slot(*backend_, head);
    ops::matmul(
        *backend_,
        {.a = loss.logits, .b = normed, .c = dw.gradient, .transpose_a = true, .beta = dw.beta});
  }
  // The chunk's normalised input has served: its gradient takes its place.
  multiply_backward(*backend_, "head", loss.logits, head_weight(), normed, 0.0f);
}

Tensor Transformer::head_loss(Tensor x, CrossEntropyArgs loss, std::int64_t chunk,
                              const Taught& taught) {
  backend_->ledger().set_phase(loss.write_gradient ? "loss" : "evaluation loss");
  const std::int64_t tokens = x.shape().rows();
  Tensor normed = workspace(*backend_, "head", "normed", x.shape());
  const NormSaved saved = final_norm_.make_saved("head", Category::kWorkspace, tokens);
  final_norm_.forward(x, normed, &saved);
  {
    const std::int64_t rows = logit_chunk_rows(chunk, model_.vocab_size, tokens);
    const Shape chunk_shape{rows, model_.vocab_size};
    const Tensor logits = workspace(*backend_, "head", "logits", chunk_shape);
    const bool taught_too = taught.teacher.model != nullptr;
    const Tensor teacher_logits =
        taught_too ? workspace(*backend_, "head", "teacher_logits", chunk_shape) : Tensor();
    const CrossEntropyArgs whole = loss;
    for (std::int64_t first = 0; first < tokens; first += rows) {
      const std::int64_t count = std::min(rows, tokens - first);
      loss.logits = logits.ref().row_range(0, count);
      loss.targets = elements_of(whole.targets, first, count);
      loss.losses = elements_of(whole.losses, first, count);
      loss.argmax = elements_of(whole.argmax, first, count);
      if (taught_too) {
        chunk_loss(normed.ref().row_range(first, count), loss,
                   {taught.teacher, taught.normed.row_range(first, count)},
                   teacher_logits.ref().row_range(0, count));
      } else {
        chunk_loss(normed.ref().row_range(first, count), loss, {}, {});
      }
    }
  }
  if (!loss.write_gradient) {
    return {};
  }
  Tensor dx = workspace(*backend_, "head", "dx", x.shape());
  final_norm_.backward(normed, x, saved, dx, {});
  return dx;
}

void Transformer::keep_activations(ActivationStore store, Recompute recompute) {
  for (const auto& block : blocks_) {
    block->keep_activations(store, recompute);
  }
}

void Transformer::train(TensorRef ids, TensorRef targets, const BatchShape& shape,
                        std::int64_t logit_chunk, GradientScale scale, TensorRef sums,
                        const GradientObserver& observer, const Teacher& teacher) {
  Tensor taught;
  if (teacher.model != nullptr) {
    taught = teacher.model->head_input(ids, shape);
  }
  std::vector<BlockSaved> saved(blocks_.size());
  const Sight sight = complete(shape);
  Tensor x = embed(ids, sight.shape.positions);
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    x = blocks_[i]->forward(std::move(x), sight.shape, &saved[i]);
  }
  Tensor dx = head_loss(patches_ != nullptr ? patches_->pool(x) : std::move(x),
                        {.logits = {},
                         .targets = targets,
                         .sums = sums,
                         .grad_scale = scale.value,
                         .scale_at = scale.at},
                        logit_chunk, {teacher, taught});
  if (patches_ != nullptr) {
    x.reset();
    dx = patches_->pool_backward(dx);
  }
  taught.reset();
  for (std::size_t i = blocks_.size(); i-- > 0;) {
    const std::int64_t first = static_cast<std::int64_t>(i) * model_.slots_per_block();
    const GradientObserver within =
        observer ? [&, first](std::int64_t slot, TensorRef dy) { observer(first + slot, dy); }
                 : GradientObserver();
    blocks_[i]->backward(dx, sight.shape, std::move(saved[i]), within);
  }
  embed_backward(ids, sight.shape.positions, dx);
}

void Transformer::evaluate(TensorRef ids, TensorRef targets, const BatchShape& shape,
                           std::int64_t logit_chunk, TensorRef sums, const RowScores& scores) {
  Tensor x = final_state(ids, shape);
  if (scores.rows.defined()) {
    Tensor chosen =
        workspace(*backend_, "head", "chosen", Shape{scores.rows.elements(), model_.dim});
    ops::embedding_forward(*backend_, {.table = x, .ids = scores.rows, .out = chosen});
    x = std::move(chosen);
  }
  head_loss(std::move(x),
            {.logits = {},
             .targets = targets,
             .sums = sums,
             .losses = scores.losses,
             .argmax = scores.argmax,
             .write_gradient = false},
            logit_chunk, {});
}

std::vector<Subtokens*> Transformer::subtokens() {
  std::vector<Subtokens*> all;
  for (const auto& block : blocks_) {
    block->append_subtokens(all);
  }
  return all;
}

std::vector<GradientProjection*> Transformer::projections() {
  std::vector<GradientProjection*> all;
  for (const auto& block : blocks_) {
    block->append_projections(all);
  }
  return all;
}

std::vector<Linear::Palettised> Transformer::palettes() {
  std::vector<Linear::Palettised> all;
  for (const auto& block : blocks_) {
    block->append_palettes(all);
  }
  return all;
}

std::vector<Parameter*> Transformer::parameters() {
  std::vector<Parameter*> all;
  if (patches_ != nullptr) {
    patches_->append_parameters(all);
  } else {
    all.push_back(embedding_.get());
  }
  if (positions_ != nullptr) {
    all.push_back(positions_.get());
  }
  for (const auto& block : blocks_) {
    block->append_parameters(all);
  }
  final_norm_.append_parameters(all);
  if (head_ != nullptr) {
    all.push_back(head_.get());
  }
  if (head_bias_ != nullptr) {
    all.push_back(head_bias_.get());
  }
  return all;
}

}  // namespace lathe
