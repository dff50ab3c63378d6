// Adapters: their three starts, forward and hand-written backward.
#include "engine/nn/adapter.h"

#include <cmath>

namespace lathe {
namespace {

// w [out, in] -= s b a, summed in double.
void subtract_product(std::vector<float>& w, const FactorPair& pair, double scale,
                      std::int64_t rank) {
  const auto r = static_cast<std::size_t>(rank);
  const std::size_t in = pair.a.size() / r;
  const std::size_t out = pair.b.size() / r;
  std::vector<double> row(in);
  for (std::size_t i = 0; i < out; ++i) {
    std::fill(row.begin(), row.end(), 0.0);
    for (std::size_t k = 0; k < r; ++k) {
      const double factor = scale * static_cast<double>(pair.b[i * r + k]);
      for (std::size_t j = 0; j < in; ++j) {
        row[j] += factor * static_cast<double>(pair.a[k * in + j]);
      }
    }
    for (std::size_t j = 0; j < in; ++j) {
      float& value = w[i * in + j];
      value = static_cast<float>(static_cast<double>(value) - row[j]);
    }
  }
}

}  // namespace

FactorPair leading_adapter(const std::vector<float>& w, const AdapterPlan& plan, std::int64_t out,
                           std::int64_t in) {
  FactorPair pair = leading_factors(w, out, in, plan.rank);
  const auto share = static_cast<float>(1.0 / std::sqrt(plan.scale));
  for (std::vector<float>* factor : {&pair.a, &pair.b}) {
    for (float& value : *factor) {
      value *= share;
    }
  }
  return pair;
}

LinearPlan output_adapter(const LinearPlan& plan) {
  LinearPlan output = plan;
  output.name += ".output";
  output.in = plan.out;
  output.adapter.rank = plan.adapter.output_rank;
  output.adapter.output_rank = 0;
  output.subtokens.groups = plan.subtokens.output_groups;
  return output;
}

Adapter::Adapter(Backend& backend, const LinearPlan& plan)
    : backend_(&backend),
      layer_(plan.name),
      plan_(plan.adapter),
      scale_(static_cast<float>(plan.adapter.scale)),
      a_(make_adapter_parameter(backend, plan.name, "lora_a", Shape{plan.adapter.rank, plan.in})),
      b_(make_adapter_parameter(backend, plan.name, "lora_b", Shape{plan.out, plan.adapter.rank})) {
  if (plan.subtokens.groups > 0) {
    subtokens_.emplace(backend, plan.name, plan.subtokens, plan.in);
    a_.direction = plan.subtokens.factored ? subtokens_->direction() : TensorRef{};
  }
}

void Adapter::begin(std::uint64_t seed, std::uint64_t stream) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(a_.shape[1]));
  ops::random_fill(*backend_, {.out = a_.weight,
                               .seed = seed,
                               .stream = stream,
                               .stddev = static_cast<float>(bound),
                               .uniform = true});
  ops::fill(*backend_, {.out = b_.weight, .value = 0.0f});
}

void Adapter::take_leading(Parameter& weight) {
  if (!backend_->computes()) {
    return;
  }
  const TensorRef stored = weight.weight;
  CHECK(stored.dtype == DType::kF32, "a weight that loses its leading part is f32");
  std::vector<float> w(static_cast<std::size_t>(stored.elements()));
  backend_->read(stored, w.data(), stored.bytes());
  const FactorPair pair = leading_adapter(w, plan_, weight.shape[0], weight.shape[1]);
  subtract_product(w, pair, plan_.scale, plan_.rank);
  backend_->write(stored, w.data(), stored.bytes());
  set_values(*backend_, a_, pair.a.data());
  set_values(*backend_, b_, pair.b.data());
}

void Adapter::restart(Parameter& weight, std::uint64_t seed, std::uint64_t stream) {
  ops::matmul(*backend_,
              {.a = b_.weight, .b = a_.weight, .c = weight.weight, .alpha = scale_, .beta = 1.0f});
  begin(seed, stream);
}

void Adapter::draw_dropout(const DropoutDraw& draw, std::int64_t site) {
  draw_ = draw;
  site_ = site;
}

void Adapter::drop(TensorRef x, TensorRef y, bool adds) {
  ops::dropout(*backend_, {.x = x,
                           .y = y,
                           .rate = plan_.dropout,
                           .seed = draw_.seed,
                           .step = draw_.step,
                           .site = site_,
                           .first = draw_.first_row * a_.shape[1],
                           .step_at = draw_.step_at,
                           .adds = adds});
}

void Adapter::forward(TensorRef x, TensorRef y, AdapterSaved* kept, bool again) {
  Tensor dropped;
  if (kept != nullptr && plan_.dropout > 0) {
    dropped = workspace(*backend_, layer_, "dropped", Shape{x.rows(), x.cols()});
    drop(x, dropped, false);
    x = dropped;
  }
  const Shape shape{x.rows(), plan_.rank};
  Tensor hidden = kept != nullptr ? activation(*backend_, layer_, "adapted", shape)
                                  : workspace(*backend_, layer_, "adapted", shape);
  ops::matmul(*backend_, {.a = x, .b = a_.weight, .c = hidden, .transpose_b = true});
  if (kept != nullptr && subtokens_) {
    kept->subtokens = subtokens_->project(x, again);
  }
  ops::matmul(
      *backend_,
      {.a = hidden, .b = b_.weight, .c = y, .transpose_b = true, .alpha = scale_, .beta = 1.0f});
  if (kept != nullptr) {
    kept->hidden = std::move(hidden);
  }
}

void Adapter::backward(TensorRef x, TensorRef dy, TensorRef dx, AdapterSaved saved) {
  const GradientSlot db = gradient_slot(*backend_, b_);
  ops::matmul(*backend_, {.a = dy,
                          .b = saved.hidden,
                          .c = db.gradient,
                          .transpose_a = true,
                          .alpha = scale_,
                          .beta = db.beta});
  // A x has served: its gradient takes its place.
  ops::matmul(*backend_, {.a = dy, .b = b_.weight, .c = saved.hidden, .alpha = scale_});
  input_backward(x, saved.hidden, dx, std::move(saved.subtokens));
}

void Adapter::input_backward(TensorRef x, TensorRef dhidden, TensorRef dx, Tensor subtokens) {
  Tensor dropped;
  if (plan_.dropout > 0) {
    dropped = workspace(*backend_, layer_, "dropped", Shape{dx.rows(), dx.cols()});
    if (x.defined()) {
      drop(x, dropped, false);
      x = dropped;
    }
  }
  if (subtokens_) {
    subtokens_->add_gradient(a_, dhidden, std::move(subtokens), x);
  } else {
    const GradientSlot da = gradient_slot(*backend_, a_);
    ops::matmul(*backend_,
                {.a = dhidden, .b = x, .c = da.gradient, .transpose_a = true, .beta = da.beta});
  }
  if (!dropped.defined()) {
    ops::matmul(*backend_, {.a = dhidden, .b = a_.weight, .c = dx, .beta = 1.0f});
    return;
  }
  // It has served: its gradient takes its place.
  ops::matmul(*backend_, {.a = dhidden, .b = a_.weight, .c = dropped});
  drop(dropped, dx, true);
}

void Adapter::append_parameters(std::vector<Parameter*>& out) {
  out.push_back(&a_);
  out.push_back(&b_);
}

}  // namespace lathe
