// Forward of a decoder block.
#include "engine/nn/block.h"

#include <algorithm>

namespace lathe {
namespace {

// `kept` makes way for what stands for it, where something does.
void replace(Tensor& kept, Tensor bits) {
  if (bits.defined()) {
    kept = std::move(bits);
  }
}

void tell(const BlockObserver& observer, BlockValue input, TensorRef x) {
  if (observer) {
    observer(input, x.reshaped(Shape{x.rows(), x.cols()}));
  }
}

}  // namespace

BlockValue input_of_slot(const ModelConfig& model, std::int64_t slot) {
  if (slot < 3) {
    return BlockValue::kAttention;
  }
  if (slot == 3) {
    return BlockValue::kOutput;
  }
  return slot + 1 == model.slots_per_block() ? BlockValue::kDown : BlockValue::kMlp;
}

void limit_to_window(std::span<std::int32_t> first_keys, std::int64_t seq_len,
                     std::int64_t window) {
  for (std::size_t i = 0; i < first_keys.size() && window > 0; ++i) {
    const std::int64_t position = static_cast<std::int64_t>(i) % seq_len;
    first_keys[i] = std::max(first_keys[i], static_cast<std::int32_t>(position + 1 - window));
  }
}

Block::Block(Backend& backend, const ModelConfig& model, std::int64_t index,
             const LinearPlan* plans)
    : backend_(&backend),
      name_("layers." + std::to_string(index)),
      model_(model),
      dim_(model.dim),
      heads_(model.heads),
      kv_heads_(model.kv_head_count()),
      q_dim_(model.query_width()),
      kv_dim_(model.kv_width()),
      ff_(model.ff_width()),
      attention_norm_(backend, model, name_ + ".attention_norm"),
      mlp_norm_(backend, model, name_ + ".mlp_norm"),
      q_(backend, plans[0]),
      k_(backend, plans[1]),
      v_(backend, plans[2]),
      o_(backend, plans[3]),
      gate_(model.gated() ? std::optional<Linear>(std::in_place, backend, plans[4]) : std::nullopt),
      up_(backend, plans[model.slots_per_block() - 2]),
      down_(backend, plans[model.slots_per_block() - 1]) {}

void Block::initialise(std::uint64_t seed, std::uint64_t first_stream) {
  attention_norm_.initialise();
  mlp_norm_.initialise();
  for (Linear* linear : slots()) {
    linear->initialise(seed, first_stream++);
  }
}

void Block::start_adapters(std::uint64_t seed, std::uint64_t first_stream, std::uint64_t cycle) {
  for (Linear* linear : slots()) {
    linear->start_adapter(seed, first_stream++, cycle);
  }
}

void Block::draw_dropout(const DropoutDraw& draw, std::int64_t first_site) {
  for (Linear* linear : slots()) {
    linear->draw_dropout(draw, first_site++);
  }
}

std::vector<Linear*> Block::slots() {
  std::vector<Linear*> all{&q_, &k_, &v_, &o_};
  if (gate_) {
    all.push_back(&*gate_);
  }
  all.insert(all.end(), {&up_, &down_});
  return all;
}

void Block::keep_activations(ActivationStore store, Recompute recompute) {
  kept_type_ = kept_dtype(store);
  recompute_ = recompute;
  for (Linear* linear : slots()) {
    linear->keep_activations(kept_type_);
  }
}

// One that is kept as it is counts as an activation from the start.
Tensor Block::input_memory(const char* name, Shape shape, bool kept) {
  return kept && kept_type_ == DType::kF32 ? activation(*backend_, name_, name, shape)
                                           : workspace(*backend_, name_, name, shape);
}

Tensor Block::normed(TensorRef x, Norm& norm, NormSaved* saved, bool kept) {
  Tensor y = input_memory("normed", Shape{x.rows(), dim_}, kept);
  if (saved != nullptr) {
    *saved = norm.make_saved(name_, Category::kActivations, x.rows());
  }
  norm.forward(x, y, saved);
  return y;
}

bool Block::keeps_input(std::initializer_list<const Linear*> slots) const {
  return recompute_ == Recompute::kNone && Linear::any_needs_input(slots);
}

RopeArgs Block::rotation(TensorRef x, std::int64_t heads) const {
  return {.x = x,
          .heads = heads,
          .theta = static_cast<float>(model_.rope_theta),
          .pairs = model_.rope_pairs,
          .scaling = model_.scaling()};
}

Tensor Block::attention_scratch() {
  return workspace(*backend_, name_, "attention",
                   Shape{attention_workspace_elements(model_.head_dim(), backend_->parallelism())});
}

// What of x is to be kept in its place where activations are kept in bf16, to which x is then
// rounded; else nothing.
Tensor Block::rounded(TensorRef x, const char* name, bool keep) {
  if (!keep || kept_type_ == DType::kF32) {
    return {};
  }
  Tensor bits = activation(*backend_, name_, name, x.shape, kept_type_);
  ops::to_bf16(*backend_, {.x = x, .bits = bits});
  return bits;
}

Tensor Block::attention_forward(TensorRef x, const BatchShape& shape, BlockSaved& saved, bool keep,
                                const BlockObserver& observer) {
  const std::int64_t tokens = shape.tokens();
  const Shape wide{shape.batch, shape.seq_len, q_dim_};
  const Shape narrow{shape.batch, shape.seq_len, kv_dim_};
  saved.q = activation(*backend_, name_, "q", wide);
  saved.k = activation(*backend_, name_, "k", narrow);
  saved.v = activation(*backend_, name_, "v", narrow);
  {
    const bool whole = keep && keeps_input({&q_, &k_, &v_});
    Tensor input = normed(x, attention_norm_, keep ? &saved.attention_norm : nullptr, whole);
    Tensor bits = rounded(input, "normed", whole);
    tell(observer, BlockValue::kAttention, input);
    q_.forward(input, saved.q, keep ? &saved.q_in : nullptr);
    k_.forward(input, saved.k, keep ? &saved.k_in : nullptr);
    v_.forward(input, saved.v, keep ? &saved.v_in : nullptr);
    if (whole) {
      saved.attention_input = std::move(input);
      replace(saved.attention_input, std::move(bits));
    }
  }
  if (rotates()) {
    for (RopeArgs turn : {rotation(saved.q, heads_), rotation(saved.k, kv_heads_)}) {
      turn.positions = shape.positions;
      ops::rope(*backend_, turn);
    }
  }
  Tensor q_bits = rounded(saved.q, "q", keep);
  Tensor k_bits = rounded(saved.k, "k", keep);
  Tensor v_bits = rounded(saved.v, "v", keep);
  saved.attended = activation(*backend_, name_, "attended", wide);
  if (keep) {
    saved.lse = activation(*backend_, name_, "lse", Shape{shape.batch, heads_, shape.seq_len});
  }
  {
    const Tensor scratch = attention_scratch();
    ops::attention_forward(*backend_, {.q = saved.q,
                                       .k = saved.k,
                                       .v = saved.v,
                                       .out = saved.attended,
                                       .lse = saved.lse.ref(),
                                       .workspace = scratch,
                                       .heads = heads_,
                                       .kv_heads = kv_heads_,
                                       .first_key = shape.first_key,
                                       .causal = !model_.images()});
  }
  replace(saved.q, std::move(q_bits));
  replace(saved.k, std::move(k_bits));
  replace(saved.v, std::move(v_bits));
  Tensor attended_bits = rounded(saved.attended, "attended", keep);
  Tensor mid = activation(*backend_, name_, "mid", Shape{tokens, dim_});
  tell(observer, BlockValue::kOutput, saved.attended);
  o_.forward(saved.attended, mid, keep ? &saved.o_in : nullptr);
  tell(observer, BlockValue::kOutputMade, mid);
  replace(saved.attended, std::move(attended_bits));
  ops::add(*backend_, {.a = mid, .b = x, .out = mid});
  return mid;
}

// What goes into down: hidden [N, F] from gate and up, or from up alone.
void Block::activate(const BlockSaved& saved, TensorRef hidden) {
  if (gate_) {
    ops::swiglu_forward(*backend_, {.gate = saved.gate, .up = saved.up, .h = hidden});
  } else {
    ops::activation_forward(*backend_, {.x = saved.up, .y = hidden, .kind = hidden_activation()});
  }
}

Tensor Block::mlp_forward(TensorRef mid, const BatchShape& shape, BlockSaved& saved, bool keep,
                          const BlockObserver& observer) {
  const Shape hidden_shape{shape.tokens(), ff_};
  if (gate_) {
    saved.gate = activation(*backend_, name_, "gate", hidden_shape);
  }
  saved.up = activation(*backend_, name_, "up", hidden_shape);
  {
    const bool whole = keep && keeps_input({gate(), &up_});
    Tensor input = normed(mid, mlp_norm_, keep ? &saved.mlp_norm : nullptr, whole);
    Tensor bits = rounded(input, "normed", whole);
    tell(observer, BlockValue::kMlp, input);
    if (gate_ && !keep) {
      Linear::forward_together(input, {{&*gate_, saved.gate}, {&up_, saved.up}});
    } else {
      if (gate_) {
        gate_->forward(input, saved.gate, &saved.gate_in);
      }
      up_.forward(input, saved.up, keep ? &saved.up_in : nullptr);
    }
    if (whole) {
      saved.mlp_input = std::move(input);
      replace(saved.mlp_input, std::move(bits));
    }
  }
  Tensor gate_bits = gate_ ? rounded(saved.gate, "gate", keep) : Tensor();
  Tensor up_bits = rounded(saved.up, "up", keep);
  Tensor out = activation(*backend_, name_, "out", Shape{shape.tokens(), dim_});
  {
    const bool whole = keep && keeps_input({&down_});
    Tensor hidden = input_memory("hidden", hidden_shape, whole);
    activate(saved, hidden);
    Tensor bits = rounded(hidden, "hidden", whole);
    replace(saved.gate, std::move(gate_bits));
    replace(saved.up, std::move(up_bits));
    tell(observer, BlockValue::kDown, hidden);
    down_.forward(hidden, out, keep ? &saved.down_in : nullptr);
    tell(observer, BlockValue::kDownMade, out);
    if (whole) {
      saved.hidden = std::move(hidden);
      replace(saved.hidden, std::move(bits));
    }
  }
  ops::add(*backend_, {.a = out, .b = mid, .out = out});
  return out;
}

Tensor Block::forward(Tensor x, const BatchShape& shape, BlockSaved* saved,
                      const BlockObserver& observer) {
  backend_->ledger().set_phase("forward " + name_);
  if (saved == nullptr || recompute_ != Recompute::kBlocks) {
    return pass(std::move(x), shape, saved, observer);
  }
  // Rounded as what is kept would be, for the second pass has to repeat it.
  BlockSaved passing;
  Tensor out = pass(std::move(x), shape, &passing, observer);
  saved->x = std::move(passing.x);
  return out;
}

Tensor Block::pass(Tensor x, const BatchShape& shape, BlockSaved* saved,
                   const BlockObserver& observer) {
  BlockSaved passing;
  const bool keep = saved != nullptr;
  BlockSaved& kept = keep ? *saved : passing;
  Tensor mid = attention_forward(x, shape, kept, keep, observer);
  if (keep) {
    kept.x = std::move(x);
  } else {
    kept = BlockSaved{};
    x.reset();
  }
  Tensor out = mlp_forward(mid, shape, kept, keep, observer);
  if (keep) {
    kept.mid = std::move(mid);
  }
  return out;
}

void Block::append_parameters(std::vector<Parameter*>& out) {
  attention_norm_.append_parameters(out);
  for (Linear* linear : {&q_, &k_, &v_, &o_}) {
    linear->append_parameters(out);
  }
  mlp_norm_.append_parameters(out);
  if (gate_) {
    gate_->append_parameters(out);
  }
  up_.append_parameters(out);
  down_.append_parameters(out);
}

void Block::append_subtokens(std::vector<Subtokens*>& out) {
  for (const Linear* linear : slots()) {
    linear->append_subtokens(out);
  }
}

void Block::append_palettes(std::vector<Linear::Palettised>& out) {
  for (Linear* linear : slots()) {
    linear->append_palettes(out);
  }
}

void Block::append_projections(std::vector<GradientProjection*>& out) {
  for (const Linear* linear : slots()) {
    if (linear->projection() != nullptr) {
      out.push_back(linear->projection());
    }
  }
}

}  // namespace lathe
