// Forward and backward of a decoder block.
#include "engine/nn/block.h"

namespace lathe {

Block::Block(Backend& backend, const ModelConfig& model, std::int64_t index,
             const LinearPlan* plans)
    : backend_(&backend),
      name_("layers." + std::to_string(index)),
      dim_(model.dim),
      heads_(model.heads),
      kv_heads_(model.kv_head_count()),
      kv_dim_(model.head_dim() * kv_heads_),
      ff_(model.ff_width()),
      eps_(static_cast<float>(model.norm_eps)),
      theta_(static_cast<float>(model.rope_theta)),
      attention_gain_(
          make_parameter(backend, name_ + ".attention_norm", "gain", Shape{model.dim}, false)),
      mlp_gain_(make_parameter(backend, name_ + ".mlp_norm", "gain", Shape{model.dim}, false)),
      q_(backend, plans[0]),
      k_(backend, plans[1]),
      v_(backend, plans[2]),
      o_(backend, plans[3]),
      gate_(backend, plans[4]),
      up_(backend, plans[5]),
      down_(backend, plans[6]) {}

void Block::initialise(std::uint64_t seed, std::uint64_t first_stream) {
  ops::fill(*backend_, {.out = attention_gain_.weight, .value = 1.0f});
  ops::fill(*backend_, {.out = mlp_gain_.weight, .value = 1.0f});
  for (Linear* linear : {&q_, &k_, &v_, &o_, &gate_, &up_, &down_}) {
    linear->initialise(seed, first_stream++);
  }
}

Tensor Block::normed(TensorRef x, Parameter& gain, Tensor* rstd) {
  Tensor y = workspace(*backend_, name_, "normed", Shape{x.rows(), dim_});
  if (rstd != nullptr) {
    *rstd = activation(*backend_, name_, "rstd", Shape{x.rows()});
  }
  ops::rmsnorm_forward(*backend_, {.x = x,
                                   .gain = gain.weight,
                                   .y = y,
                                   .rstd = rstd != nullptr ? rstd->ref() : TensorRef{},
                                   .eps = eps_});
  return y;
}

Tensor Block::attention_scratch() {
  return workspace(*backend_, name_, "attention",
                   Shape{attention_workspace_elements(dim_ / heads_, backend_->parallelism())});
}

Tensor Block::attention_forward(TensorRef x, const BatchShape& shape, BlockSaved& saved,
                                bool keep) {
  const std::int64_t tokens = shape.tokens();
  const Shape wide{shape.batch, shape.seq_len, dim_};
  const Shape narrow{shape.batch, shape.seq_len, kv_dim_};
  saved.q = activation(*backend_, name_, "q", wide);
  saved.k = activation(*backend_, name_, "k", narrow);
  saved.v = activation(*backend_, name_, "v", narrow);
  {
    const Tensor input = normed(x, attention_gain_, keep ? &saved.rstd_attention : nullptr);
    q_.forward(input, saved.q, keep ? &saved.q_in : nullptr);
    k_.forward(input, saved.k, keep ? &saved.k_in : nullptr);
    v_.forward(input, saved.v, keep ? &saved.v_in : nullptr);
  }
  ops::rope(*backend_, {.x = saved.q, .heads = heads_, .theta = theta_});
  ops::rope(*backend_, {.x = saved.k, .heads = kv_heads_, .theta = theta_});
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
                                       .kv_heads = kv_heads_});
  }
  Tensor mid = activation(*backend_, name_, "mid", Shape{tokens, dim_});
  o_.forward(saved.attended, mid, keep ? &saved.o_in : nullptr);
  ops::add(*backend_, {.a = mid, .b = x, .out = mid});
  return mid;
}

Tensor Block::mlp_forward(TensorRef mid, const BatchShape& shape, BlockSaved& saved, bool keep) {
  const Shape hidden_shape{shape.tokens(), ff_};
  saved.gate = activation(*backend_, name_, "gate", hidden_shape);
  saved.up = activation(*backend_, name_, "up", hidden_shape);
  {
    const Tensor input = normed(mid, mlp_gain_, keep ? &saved.rstd_mlp : nullptr);
    gate_.forward(input, saved.gate, keep ? &saved.gate_in : nullptr);
    up_.forward(input, saved.up, keep ? &saved.up_in : nullptr);
  }
  Tensor out = activation(*backend_, name_, "out", Shape{shape.tokens(), dim_});
  {
    const Tensor hidden = workspace(*backend_, name_, "hidden", hidden_shape);
    ops::swiglu_forward(*backend_, {.gate = saved.gate, .up = saved.up, .h = hidden});
    down_.forward(hidden, out, keep ? &saved.down_in : nullptr);
  }
  ops::add(*backend_, {.a = out, .b = mid, .out = out});
  return out;
}

Tensor Block::forward(Tensor x, const BatchShape& shape, BlockSaved* saved) {
  BlockSaved passing;
  const bool keep = saved != nullptr;
  BlockSaved& kept = keep ? *saved : passing;
  backend_->ledger().set_phase("forward " + name_);
  Tensor mid = attention_forward(x, shape, kept, keep);
  if (keep) {
    kept.x = std::move(x);
  } else {
    kept = BlockSaved{};
    x.reset();
  }
  Tensor out = mlp_forward(mid, shape, kept, keep);
  if (keep) {
    kept.mid = std::move(mid);
  }
  return out;
}

void Block::mlp_backward(TensorRef dy, const BatchShape& shape, BlockSaved& saved) {
  const Shape hidden_shape{shape.tokens(), ff_};
  Tensor dhidden = workspace(*backend_, name_, "dhidden", hidden_shape);
  {
    const Tensor hidden = workspace(*backend_, name_, "hidden", hidden_shape);
    ops::swiglu_forward(*backend_, {.gate = saved.gate, .up = saved.up, .h = hidden});
    down_.backward(hidden, dy, dhidden, 0.0f, std::move(saved.down_in));
  }
  ops::swiglu_backward(*backend_, {.dh = dhidden,
                                   .gate = saved.gate,
                                   .up = saved.up,
                                   .dgate = saved.gate,
                                   .dup = saved.up,
                                   .h = {}});
  dhidden.reset();
  Tensor dinput = workspace(*backend_, name_, "dinput", Shape{shape.tokens(), dim_});
  {
    const Tensor input = normed(saved.mid, mlp_gain_, nullptr);
    gate_.backward(input, saved.gate, dinput, 0.0f, std::move(saved.gate_in));
    saved.gate.reset();
    up_.backward(input, saved.up, dinput, 1.0f, std::move(saved.up_in));
    saved.up.reset();
  }
  ops::rmsnorm_backward(*backend_, {.dy = dinput,
                                    .x = saved.mid,
                                    .gain = mlp_gain_.weight,
                                    .rstd = saved.rstd_mlp,
                                    .dx = dy,
                                    .dgain = accumulating_gradient(*backend_, mlp_gain_),
                                    .dx_add = dy});
  saved.mid.reset();
  saved.rstd_mlp.reset();
}

void Block::attention_backward(TensorRef dy, const BatchShape& shape, BlockSaved& saved) {
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
                                        .kv_heads = kv_heads_});
  }
  saved.q.reset();
  saved.k.reset();
  saved.v.reset();
  saved.attended.reset();
  saved.lse.reset();
  ops::rope(*backend_, {.x = dq, .heads = heads_, .theta = theta_, .inverse = true});
  ops::rope(*backend_, {.x = dk, .heads = kv_heads_, .theta = theta_, .inverse = true});
  Tensor dinput = workspace(*backend_, name_, "dinput", Shape{shape.tokens(), dim_});
  {
    const Tensor input = normed(saved.x, attention_gain_, nullptr);
    q_.backward(input, dq, dinput, 0.0f, std::move(saved.q_in));
    k_.backward(input, dk, dinput, 1.0f, std::move(saved.k_in));
    v_.backward(input, dv, dinput, 1.0f, std::move(saved.v_in));
  }
  ops::rmsnorm_backward(*backend_, {.dy = dinput,
                                    .x = saved.x,
                                    .gain = attention_gain_.weight,
                                    .rstd = saved.rstd_attention,
                                    .dx = dy,
                                    .dgain = accumulating_gradient(*backend_, attention_gain_),
                                    .dx_add = dy});
}

void Block::backward(TensorRef dy, const BatchShape& shape, BlockSaved saved) {
  backend_->ledger().set_phase("backward " + name_);
  mlp_backward(dy, shape, saved);
  attention_backward(dy, shape, saved);
}

void Block::append_parameters(std::vector<Parameter*>& out) {
  out.push_back(&attention_gain_);
  for (Linear* linear : {&q_, &k_, &v_, &o_}) {
    linear->append_parameters(out);
  }
  out.push_back(&mlp_gain_);
  for (Linear* linear : {&gate_, &up_, &down_}) {
    linear->append_parameters(out);
  }
}

}  // namespace lathe
