// Backward of a decoder block.
#include "engine/nn/block.h"

namespace lathe {
namespace {

void tell(const GradientObserver& observer, std::int64_t slot, TensorRef dy) {
  if (observer) {
    observer(slot, dy.reshaped(Shape{dy.rows(), dy.cols()}));
  }
}

}  // namespace

// f32 again, for as long as backward needs it.
void Block::restore(Tensor& saved, const char* name) {
  if (saved.dtype() == DType::kBf16) {
    Tensor floats = workspace(*backend_, name_, name, saved.shape());
    ops::from_bf16(*backend_, {.bits = saved, .x = floats});
    saved = std::move(floats);
  }
}

Tensor Block::input_again(Tensor kept, std::initializer_list<const Linear*> slots, TensorRef x,
                          Norm& norm) {
  if (kept.defined()) {
    restore(kept, "normed");
    return kept;
  }
  return Linear::any_needs_input(slots) ? normed(x, norm, nullptr) : Tensor();
}

// What went into down, kept or made again; undefined where down does not need it.
Tensor Block::hidden_again(BlockSaved& saved) {
  Tensor hidden = std::move(saved.hidden);
  if (hidden.defined()) {
    restore(hidden, "hidden");
  } else if (down_.needs_input()) {
    hidden = workspace(*backend_, name_, "hidden", saved.up.shape());
    activate(saved, hidden);
  }
  return hidden;
}

// The gradients of gate and up take the places of gate and up, from that of hidden, which is freed.
void Block::hidden_backward(const BlockSaved& saved, Tensor& dhidden) {
  if (gate_) {
    ops::swiglu_backward(*backend_, {.dh = dhidden,
                                     .gate = saved.gate,
                                     .up = saved.up,
                                     .dgate = saved.gate,
                                     .dup = saved.up,
                                     .h = {}});
  } else {
    ops::activation_backward(
        *backend_, {.x = saved.up, .dy = dhidden, .dx = dhidden, .kind = hidden_activation()});
    ops::copy(*backend_, {.from = dhidden, .to = saved.up});
  }
  dhidden.reset();
}

void Block::mlp_backward(TensorRef dy, const BatchShape& shape, BlockSaved& saved,
                         const GradientObserver& observer) {
  const Shape hidden_shape{shape.tokens(), ff_};
  const std::int64_t down = model_.slots_per_block() - 1;
  restore(saved.gate, "gate");
  restore(saved.up, "up");
  tell(observer, down, dy);
  Tensor dhidden = workspace(*backend_, name_, "dhidden", hidden_shape);
  {
    const Tensor hidden = hidden_again(saved);
    down_.backward(hidden, dy, dhidden, 0.0f, std::move(saved.down_in));
  }
  hidden_backward(saved, dhidden);
  tell(observer, down - 1, saved.up);
  Tensor dinput = workspace(*backend_, name_, "dinput", Shape{shape.tokens(), dim_});
  {
    const Tensor input =
        input_again(std::move(saved.mlp_input), {gate(), &up_}, saved.mid, mlp_norm_);
    if (gate_) {
      tell(observer, down - 2, saved.gate);
      gate_->backward(input, saved.gate, dinput, 0.0f, std::move(saved.gate_in));
      saved.gate.reset();
    }
    up_.backward(input, saved.up, dinput, gate_ ? 1.0f : 0.0f, std::move(saved.up_in));
    saved.up.reset();
  }
  mlp_norm_.backward(dinput, saved.mid, saved.mlp_norm, dy, dy);
  saved.mid.reset();
  saved.mlp_norm.reset();
}

void Block::attention_backward(TensorRef dy, const BatchShape& shape, BlockSaved& saved,
                               const GradientObserver& observer) {
  tell(observer, 3, dy);
  restore(saved.q, "q");
  restore(saved.k, "k");
  restore(saved.v, "v");
  restore(saved.attended, "attended");
  Tensor dq = workspace(*backend_, name_, "dq", saved.q.shape());
  Tensor dk = workspace(*backend_, name_, "dk", saved.k.shape());
  Tensor dv = workspace(*backend_, name_, "dv", saved.v.shape());
  {
    Tensor dattended = workspace(*backend_, name_, "dattended", saved.attended.shape());
    o_.backward(saved.attended, dy, dattended, 0.0f, std::move(saved.o_in));
    const Tensor scratch = attention_scratch();
    ops::attention_backward(*backend_, {.dout = dattended,
                                        .q = saved.q,
                                        .k = saved.k,
                                        .v = saved.v,
                                        .out = saved.attended,
                                        .lse = saved.lse,
                                        .dq = dq,
                                        .dk = dk,
                                        .dv = dv,
                                        .workspace = scratch,
                                        .heads = heads_,
                                        .kv_heads = kv_heads_,
                                        .first_key = shape.first_key,
                                        .causal = !model_.images()});
  }
  saved.q.reset();
  saved.k.reset();
  saved.v.reset();
  saved.attended.reset();
  saved.lse.reset();
  if (rotates()) {
    for (RopeArgs turn : {rotation(dq, heads_), rotation(dk, kv_heads_)}) {
      turn.positions = shape.positions;
      turn.inverse = true;
      ops::rope(*backend_, turn);
    }
  }
  Tensor dinput = workspace(*backend_, name_, "dinput", Shape{shape.tokens(), dim_});
  {
    const Tensor input =
        input_again(std::move(saved.attention_input), {&q_, &k_, &v_}, saved.x, attention_norm_);
    std::int64_t slot = 0;
    for (const Tensor* gradient : {&dq, &dk, &dv}) {
      tell(observer, slot++, *gradient);
    }
    q_.backward(input, dq, dinput, 0.0f, std::move(saved.q_in));
    k_.backward(input, dk, dinput, 1.0f, std::move(saved.k_in));
    v_.backward(input, dv, dinput, 1.0f, std::move(saved.v_in));
  }
  attention_norm_.backward(dinput, saved.x, saved.attention_norm, dy, dy);
}

void Block::backward(TensorRef dy, const BatchShape& shape, BlockSaved saved,
                     const GradientObserver& observer) {
  if (recompute_ == Recompute::kBlocks) {
    backend_->ledger().set_phase("forward again " + name_);
    for (LinearSaved* slot : {&saved.q_in, &saved.k_in, &saved.v_in, &saved.o_in, &saved.gate_in,
                              &saved.up_in, &saved.down_in}) {
      slot->again = true;
    }
    pass(std::move(saved.x), shape, &saved, {});
  }
  backend_->ledger().set_phase("backward " + name_);
  mlp_backward(dy, shape, saved, observer);
  attention_backward(dy, shape, saved, observer);
}

}  // namespace lathe
