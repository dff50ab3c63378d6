// Directions of sub-tokens, and gradients made of projections.
#include "engine/nn/subtokens.h"

#include <algorithm>
#include <array>
#include <vector>

#include "engine/backend/sums.h"
#include "engine/nn/factor_init.h"

namespace lathe {

Subtokens::Subtokens(Backend& backend, const std::string& layer, const SubtokenPlan& plan,
                     std::int64_t in)
    : backend_(&backend), layer_(layer), plan_(plan) {
  CHECK(plan.groups > 0 && in % plan.groups == 0, "groups divide the input");
  v_ = Tensor(backend.allocator(), DType::kF32, Shape{in / plan.groups},
              Tag{Category::kWeights, layer, "direction"});
}

void Subtokens::begin(std::uint64_t seed, std::uint64_t stream) {
  ops::fill(*backend_, {.out = v_, .value = 0.0f});
  if (plan_.init == DirectionInit::kRandom) {
    // From 0 to 1, as the method's authors draw it.
    ops::random_fill(
        *backend_,
        {.out = v_, .seed = seed, .stream = stream, .mean = 0.5f, .stddev = 0.5f, .uniform = true});
    ops::subtoken_direction(*backend_, {.sums = v_, .v = v_});
  }
  drawn_ = false;
}

// A checkpoint may have brought one.
bool Subtokens::is_drawn() const {
  if (!backend_->computes()) {
    return false;
  }
  std::vector<float> v(static_cast<std::size_t>(v_.shape().elements()));
  backend_->read(v_, v.data(), v_.ref().bytes());
  return std::any_of(v.begin(), v.end(), [](float value) { return value != 0.0f; });
}

void Subtokens::follow_mean(TensorRef subtokens, double decay) {
  const Tensor sums = workspace(*backend_, layer_, "sums", v_.shape());
  ops::fill(*backend_, {.out = sums, .value = 0.0f});
  ops::bias_backward(*backend_, {.dy = subtokens, .dbias = sums});
  ops::subtoken_direction(
      *backend_,
      {.sums = sums, .v = v_, .count = subtokens.rows(), .decay = static_cast<float>(decay)});
}

void Subtokens::take_leading(TensorRef subtokens) {
  const std::int64_t size = v_.shape().elements();
  const Tensor gram = workspace(*backend_, layer_, "gram", Shape{size, size});
  ops::matmul(*backend_, {.a = subtokens, .b = subtokens, .c = gram, .transpose_a = true});
  if (!backend_->computes()) {
    return;
  }
  std::vector<float> values(static_cast<std::size_t>(size * size));
  backend_->read(gram, values.data(), gram.ref().bytes());
  const std::vector<float> leading = leading_direction(values, size);
  backend_->write(v_, leading.data(), v_.ref().bytes());
}

void Subtokens::draw(TensorRef subtokens) {
  const bool first = !drawn_ && !is_drawn();
  drawn_ = true;
  switch (plan_.init) {
    case DirectionInit::kEveryBatch:
      return follow_mean(subtokens, 0.0);
    case DirectionInit::kEma:
      return follow_mean(subtokens, first ? 0.0 : plan_.decay);
    case DirectionInit::kRandom:
      return;
    case DirectionInit::kFirstBatch:
      return first ? follow_mean(subtokens, 0.0) : void();
    case DirectionInit::kSvd:
      return first ? take_leading(subtokens) : void();
  }
}

Tensor Subtokens::project(TensorRef x, bool again) {
  if (!again && !probed()) {
    const std::int64_t size = v_.shape().elements();
    draw(x.reshaped(Shape{x.elements() / size, size}));
  }
  const Shape shape{x.rows(), plan_.groups};
  const bool rounds = kept_type_ != DType::kF32;
  Tensor z = rounds ? workspace(*backend_, layer_, "subtokens", shape)
                    : activation(*backend_, layer_, "subtokens", shape);
  x = x.reshaped(Shape{x.rows(), x.cols()});
  ops::subtoken_project(*backend_, {.x = x, .v = v_, .z = z});
  if (probed()) {
    measure(0, x, z);
  }
  if (!rounds) {
    return z;
  }
  Tensor bits = activation(*backend_, layer_, "subtokens", shape, kept_type_);
  ops::to_bf16(*backend_, {.x = z, .bits = bits});
  return bits;
}

void Subtokens::measure(std::int64_t first, TensorRef a, TensorRef b) {
  const std::array<TensorRef, 2> both{a, b};
  ops::sum_squares(
      *backend_,
      {.x = both, .sums = sums_at(probe_, first, 2), .total = sums_at(probe_, first + 2, 1)});
}

void Subtokens::measure_gradient(TensorRef dy, TensorRef z, TensorRef x) {
  const Tensor u = workspace(*backend_, layer_, "probed", Shape{dy.cols(), z.cols()});
  const Tensor exact = workspace(*backend_, layer_, "exact", Shape{dy.cols(), x.cols()});
  ops::matmul(*backend_, {.a = dy, .b = z, .c = u, .transpose_a = true});
  ops::matmul(*backend_, {.a = dy, .b = x, .c = exact, .transpose_a = true});
  measure(3, u, exact);
}

Tensor Subtokens::floats(Tensor z) {
  if (z.dtype() != DType::kBf16) {
    return z;
  }
  Tensor wide = workspace(*backend_, layer_, "subtokens", z.shape());
  ops::from_bf16(*backend_, {.bits = z, .x = wide});
  return wide;
}

Tensor Subtokens::rebuilt(Tensor z, std::int64_t in) {
  z = floats(std::move(z));
  Tensor x = workspace(*backend_, layer_, "rebuilt", Shape{z.shape()[0], in});
  ops::subtoken_rebuild(*backend_, {.z = z, .v = v_, .x = x});
  return x;
}

void Subtokens::add_gradient(Parameter& weight, TensorRef dy, Tensor z, TensorRef x) {
  z = floats(std::move(z));
  if (probed()) {
    measure_gradient(dy, z, x);
  }
  const auto scale = static_cast<float>(plan_.scale);
  const GradientSlot dw = gradient_slot(*backend_, weight);
  const auto product = [&](TensorRef b, TensorRef c, float beta) {
    ops::matmul(*backend_,
                {.a = dy, .b = b, .c = c, .transpose_a = true, .alpha = scale, .beta = beta});
  };
  if (weight.direction.defined()) {
    return product(z, dw.gradient, dw.beta);
  }
  if (plan_.rebuilt) {
    return product(rebuilt(std::move(z), weight.shape[1]), dw.gradient, dw.beta);
  }
  const Tensor u = workspace(*backend_, layer_, "factors", Shape{weight.shape[0], plan_.groups});
  product(z, u, 0.0f);
  ops::subtoken_rebuild(*backend_, {.z = u, .v = v_, .x = dw.gradient, .beta = dw.beta});
}

}  // namespace lathe
