// Every backward op of cpu_ref against central differences of its forward op, in the direction of
// random vectors: d/dh <w, f(x + h u)> at h = 0 must be <df(w), u>.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "engine/backend/sums.h"
#include "tests/conformance/case.h"
#include "tests/conformance/tolerance.h"

namespace lathe::conformance {
namespace {

class Gradient : public testing::Test {
 protected:
  Tensor tensor(Shape shape) {
    Tensor made(backend_->allocator(), DType::kF32, shape, {});
    ops::random_fill(*backend_, {.out = made, .seed = 3, .stream = ++stream_, .uniform = true});
    return made;
  }
  std::vector<float> values(TensorRef x) {
    std::vector<float> out(static_cast<std::size_t>(x.elements()));
    backend_->read(x, out.data(), x.bytes());
    return out;
  }
  double dot(TensorRef a, TensorRef b) {
    const std::vector<float> x = values(a);
    const std::vector<float> y = values(b);
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      sum += double(x[i]) * double(y[i]);
    }
    return sum;
  }

  // `forward` computes `output` from `input`; `gradient` is what backward gave for weights `dout`.
  void expect_gradient(const std::string& name, TensorRef input, TensorRef gradient,
                       TensorRef output, TensorRef dout, const std::function<void()>& forward) {
    const std::vector<float> start = values(input);
    const Tensor direction = tensor(input.shape);
    const std::vector<float> along = values(direction);
    constexpr double kStep = 4e-3;
    std::array<double, 2> sums{};
    for (const int side : {0, 1}) {
      std::vector<float> moved = start;
      for (std::size_t i = 0; i < moved.size(); ++i) {
        moved[i] += static_cast<float>((side == 0 ? kStep : -kStep) * double(along[i]));
      }
      backend_->write(input, moved.data(), input.bytes());
      forward();
      sums[static_cast<std::size_t>(side)] = dot(output, dout);
    }
    backend_->write(input, start.data(), input.bytes());
    const double numeric = (sums[0] - sums[1]) / (2.0 * kStep);
    const double analytic = dot(gradient, direction);
    const double size = std::sqrt(dot(gradient, gradient) * dot(direction, direction));
    EXPECT_NEAR(numeric, analytic, kGradientTolerance * size) << name;
    EXPECT_GT(size, 0.0) << name;
  }

  std::unique_ptr<Backend> backend_ = std::move(make_backend("cpu_ref", 1)).value();
  std::uint64_t stream_ = 0;
};

TEST_F(Gradient, Rmsnorm) {
  const Tensor x = tensor({5, 7}), gain = tensor({7}), y = tensor({5, 7}), rstd = tensor({5});
  const Tensor dy = tensor({5, 7}), dx = tensor({5, 7}), dgain = tensor({7});
  ops::fill(*backend_, {.out = dgain});
  const auto forward = [&] {
    ops::rmsnorm_forward(*backend_, {.x = x, .gain = gain, .y = y, .rstd = rstd});
  };
  forward();
  ops::rmsnorm_backward(
      *backend_,
      {.dy = dy, .x = x, .gain = gain, .rstd = rstd, .dx = dx, .dgain = dgain, .dx_add = {}});
  expect_gradient("x", x, dx, y, dy, forward);
  expect_gradient("gain", gain, dgain, y, dy, forward);
}

TEST_F(Gradient, Layernorm) {
  const Tensor x = tensor({5, 7}), gain = tensor({7}), bias = tensor({7}), y = tensor({5, 7});
  const Tensor mean = tensor({5}), rstd = tensor({5}), dy = tensor({5, 7}), dx = tensor({5, 7});
  const Tensor dgain = tensor({7}), dbias = tensor({7});
  ops::fill(*backend_, {.out = dgain});
  ops::fill(*backend_, {.out = dbias});
  const auto forward = [&] {
    ops::layernorm_forward(
        *backend_, {.x = x, .gain = gain, .bias = bias, .y = y, .mean = mean, .rstd = rstd});
  };
  forward();
  ops::layernorm_backward(*backend_, {.dy = dy,
                                      .x = x,
                                      .gain = gain,
                                      .mean = mean,
                                      .rstd = rstd,
                                      .dx = dx,
                                      .dgain = dgain,
                                      .dbias = dbias,
                                      .dx_add = {}});
  expect_gradient("x", x, dx, y, dy, forward);
  expect_gradient("gain", gain, dgain, y, dy, forward);
  expect_gradient("bias", bias, dbias, y, dy, forward);
}

TEST_F(Gradient, Attention) {
  constexpr std::int64_t kHeads = 4;
  constexpr std::int64_t kKeyHeads = 2;
  const Shape wide{2, 9, kHeads * 6};
  const Shape narrow{2, 9, kKeyHeads * 6};
  const Tensor q = tensor(wide), k = tensor(narrow), v = tensor(narrow), out = tensor(wide);
  const Tensor dout = tensor(wide), dq = tensor(wide), dk = tensor(narrow), dv = tensor(narrow);
  const Tensor lse = tensor({2, kHeads, 9});
  const Tensor workspace = tensor({attention_workspace_elements(6, 1)});
  const auto forward = [&] {
    ops::attention_forward(*backend_, {.q = q,
                                       .k = k,
                                       .v = v,
                                       .out = out,
                                       .lse = lse,
                                       .workspace = workspace,
                                       .heads = kHeads,
                                       .kv_heads = kKeyHeads});
  };
  forward();
  ops::attention_backward(*backend_, {.dout = dout,
                                      .q = q,
                                      .k = k,
                                      .v = v,
                                      .out = out,
                                      .lse = lse,
                                      .dq = dq,
                                      .dk = dk,
                                      .dv = dv,
                                      .workspace = workspace,
                                      .heads = kHeads,
                                      .kv_heads = kKeyHeads});
  expect_gradient("q", q, dq, out, dout, forward);
  expect_gradient("k", k, dk, out, dout, forward);
  expect_gradient("v", v, dv, out, dout, forward);
}

TEST_F(Gradient, Swiglu) {
  const Tensor gate = tensor({31}), up = tensor({31}), h = tensor({31}), dh = tensor({31});
  const Tensor dgate = tensor({31}), dup = tensor({31});
  const auto forward = [&] { ops::swiglu_forward(*backend_, {.gate = gate, .up = up, .h = h}); };
  ops::swiglu_backward(*backend_,
                       {.dh = dh, .gate = gate, .up = up, .dgate = dgate, .dup = dup, .h = {}});
  expect_gradient("gate", gate, dgate, h, dh, forward);
  expect_gradient("up", up, dup, h, dh, forward);
}

TEST_F(Gradient, SmoothActivations) {
  for (const Activation kind : {Activation::kNone, Activation::kGelu, Activation::kSilu,
                                Activation::kTanh, Activation::kGeluTanh}) {
    const Tensor x = tensor({29}), y = tensor({29}), dy = tensor({29}), dx = tensor({29});
    ops::activation_backward(*backend_, {.x = x, .dy = dy, .dx = dx, .kind = kind});
    expect_gradient("kind " + std::to_string(static_cast<int>(kind)), x, dx, y, dy,
                    [&] { ops::activation_forward(*backend_, {.x = x, .y = y, .kind = kind}); });
  }
}

TEST_F(Gradient, Embedding) {
  const Tensor table = tensor({5, 3}), out = tensor({4, 3}), dout = tensor({4, 3});
  const Tensor dtable = tensor({5, 3});
  const Tensor ids(backend_->allocator(), DType::kI32, Shape{4}, {});
  const std::array<std::int32_t, 4> tokens{1, 4, 1, 0};
  backend_->write(ids, tokens.data(), sizeof tokens);
  ops::fill(*backend_, {.out = dtable});
  ops::embedding_backward(*backend_, {.dout = dout, .ids = ids, .dtable = dtable});
  expect_gradient("table", table, dtable, out, dout, [&] {
    ops::embedding_forward(*backend_, {.table = table, .ids = ids, .out = out});
  });
}

// A rotation's gradient is the rotation back.
TEST_F(Gradient, Rope) {
  const Tensor x = tensor({2, 5, 12}), y = tensor({2, 5, 12}), dy = tensor({2, 5, 12});
  const Tensor dx = tensor({2, 5, 12});
  ops::copy(*backend_, {.from = dy, .to = dx});
  ops::rope(*backend_, {.x = dx, .heads = 2, .first_position = 3, .inverse = true});
  expect_gradient("x", x, dx, y, dy, [&] {
    ops::copy(*backend_, {.from = x, .to = y});
    ops::rope(*backend_, {.x = y, .heads = 2, .first_position = 3});
  });
}

TEST_F(Gradient, Dropout) {
  const Tensor x = tensor({5, 7}), y = tensor({5, 7}), dy = tensor({5, 7}), dx = tensor({5, 7});
  const auto drop = [&](TensorRef from, TensorRef to, bool adds) {
    ops::dropout(*backend_, {.x = from,
                             .y = to,
                             .rate = 0.4,
                             .seed = 2,
                             .step = 3,
                             .site = 1,
                             .first = 5,
                             .adds = adds});
  };
  ops::fill(*backend_, {.out = dx});
  drop(dy, dx, true);
  expect_gradient("x", x, dx, y, dy, [&] { drop(x, y, false); });
}

// The loss is on the host, so that its difference quotient is taken here.
TEST_F(Gradient, CrossEntropy) {
  const Tensor logits = tensor({3, 11});
  const Tensor targets(backend_->allocator(), DType::kI32, Shape{3}, {});
  const std::array<std::int32_t, 3> classes{4, -1, 10};
  backend_->write(targets, classes.data(), sizeof classes);
  const std::vector<float> start = values(logits);
  const auto loss = [&](bool write_gradient) {
    const Tensor sums = make_sums(*backend_, "test", "sums");
    ops::cross_entropy(
        *backend_,
        {.logits = logits, .targets = targets, .sums = sums, .write_gradient = write_gradient});
    return read_cross_entropy(*backend_, sums).loss;
  };
  loss(true);
  const std::vector<float> gradient = values(logits);
  for (std::size_t i = 0; i < start.size(); ++i) {
    std::array<double, 2> sides{};
    for (const int side : {0, 1}) {
      std::vector<float> moved = start;
      moved[i] += side == 0 ? 0x1p-7f : -0x1p-7f;
      backend_->write(logits, moved.data(), logits.ref().bytes());
      sides[static_cast<std::size_t>(side)] = loss(false);
    }
    EXPECT_NEAR((sides[0] - sides[1]) * 64.0, double(gradient[i]), 1e-4) << "logit " << i;
  }
}

}  // namespace
}  // namespace lathe::conformance
