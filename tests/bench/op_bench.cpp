// Every op at the shapes of one training step of a LLaMA-shaped model: time, GFLOP/s, GB/s, and its
// share of the step. The peaks to hold them against are measured first, in the same run.
// With one thread, processor time is measured, so that a busy machine disturbs less.
//   op_bench [15m|60m] [threads]
#include <fmt/core.h>
#include <time.h>

#include <cstdlib>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "engine/backend/backend.h"

namespace lathe {
namespace {

struct Model {
  std::int64_t dim, layers, heads, ff_dim;
  std::int64_t vocab = 32000;
  std::int64_t length = 256;
  std::int64_t batch = 8;
  std::int64_t tokens() const { return length * batch; }
};

constexpr std::int64_t kLogitRows = 256;

double clock_secs(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

// The shortest of several calls, after one that warms up.
double best_secs(clockid_t clock, const std::function<void()>& call) {
  call();
  double best = std::numeric_limits<double>::infinity();
  double total = 0;
  for (int i = 0; i < 25 && (total < 0.5 || i < 4); ++i) {
    const double start = clock_secs(clock);
    call();
    const double secs = clock_secs(clock) - start;
    best = std::min(best, secs);
    total += secs;
  }
  return best;
}

class Bench {
 public:
  Bench(Backend& backend, Model model)
      : backend_(backend),
        model_(model),
        clock_(backend.parallelism() == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC) {}

  Tensor tensor(Shape shape) {
    Tensor made(backend_.allocator(), DType::kF32, shape, {});
    ops::random_fill(backend_, {.out = made, .seed = 1, .stream = ++stream_, .stddev = 0.5f});
    return made;
  }
  Tensor ids(std::int64_t count) {
    Tensor made(backend_.allocator(), DType::kI32, Shape{count}, {});
    std::vector<std::int32_t> values(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<std::int32_t>(i * 7919 % static_cast<std::size_t>(model_.vocab));
    }
    backend_.write(made, values.data(), count * 4);
    return made;
  }
  // `calls`: how often a step makes this call.
  void report(const std::string& name, std::int64_t calls, const OpCost& cost,
              const std::function<void()>& call) {
    const double secs = best_secs(clock_, call);
    const double step_ms = 1e3 * secs * double(calls);
    (name.starts_with("matmul") ? matmul_ms_ : other_ms_) += step_ms;
    fmt::print("{:<34} {:>4} x {:>9.3f} ms {:>8.1f} ms a step {:>7.1f} GFLOP/s {:>6.1f} GB/s\n",
               name, calls, 1e3 * secs, step_ms, cost.flops / secs * 1e-9,
               cost.bytes / secs * 1e-9);
  }
  template <typename Args>
  void run(const std::string& name, std::int64_t calls, void (*op)(Backend&, const Args&),
           const Args& args) {
    report(name, calls, cost(args), [&] {
      op(backend_, args);
      backend_.synchronize();
    });
  }

  void peaks();
  void products();
  void rows();
  void attention();
  void loss_and_optimizer();
  void totals() const {
    fmt::print("a step: {:.1f} ms of products, {:.1f} ms of everything else ({:.1f} %)\n",
               matmul_ms_, other_ms_, 100 * other_ms_ / (matmul_ms_ + other_ms_));
  }

 private:
  void product(const std::string& name, std::int64_t calls, std::int64_t in, std::int64_t out,
               std::int64_t tokens);

  Backend& backend_;
  Model model_;
  clockid_t clock_;
  std::uint64_t stream_ = 0;
  double matmul_ms_ = 0;
  double other_ms_ = 0;
};

void Bench::peaks() {
  const Tensor a = tensor({2048, 2048});
  const Tensor b = tensor({2048, 2048});
  Tensor c = tensor({2048, 2048});
  const MatmulArgs square{.a = a, .b = b, .c = c, .transpose_b = true};
  const Tensor from = tensor({64 << 20});
  Tensor to = tensor({64 << 20});
  const CopyArgs bulk{.from = from, .to = to};
  fmt::print("peaks on {}: ", backend_.info().device);
  fmt::print("{:.1f} GFLOP/s (2048^3), ",
             cost(square).flops / best_secs(clock_, [&] { ops::matmul(backend_, square); }) * 1e-9);
  fmt::print("{:.1f} GB/s (copy of 256 MiB)\n",
             cost(bulk).bytes / best_secs(clock_, [&] { ops::copy(backend_, bulk); }) * 1e-9);
}

void Bench::product(const std::string& name, std::int64_t calls, std::int64_t in, std::int64_t out,
                    std::int64_t tokens) {
  const Tensor x = tensor({tokens, in});
  const Tensor weight = tensor({out, in});
  const Tensor y = tensor({tokens, out});
  const Tensor dx = tensor({tokens, in});
  const Tensor dweight = tensor({out, in});
  run("matmul " + name + " forward", calls, ops::matmul,
      {.a = x, .b = weight, .c = y, .transpose_b = true});
  run("matmul " + name + " dx", calls, ops::matmul, {.a = y, .b = weight, .c = dx});
  run("matmul " + name + " dw", calls, ops::matmul,
      {.a = y, .b = x, .c = dweight, .transpose_a = true, .beta = 1.0f});
}

void Bench::products() {
  const Model& m = model_;
  product("q k v o", 4 * m.layers, m.dim, m.dim, m.tokens());
  product("gate up", 2 * m.layers, m.dim, m.ff_dim, m.tokens());
  product("down", m.layers, m.ff_dim, m.dim, m.tokens());
  product("head", m.tokens() / kLogitRows, m.dim, m.vocab, kLogitRows);
}

void Bench::rows() {
  const Model& m = model_;
  const Shape wide{m.batch, m.length, m.dim};
  const Tensor x = tensor(wide);
  const Tensor y = tensor(wide);
  const Tensor dy = tensor(wide);
  const Tensor gain = tensor({m.dim});
  const Tensor dgain = tensor({m.dim});
  const Tensor rstd = tensor({m.tokens()});
  const Tensor table = tensor({m.vocab, m.dim});
  const Tensor tokens = ids(m.tokens());
  run("rmsnorm_forward", 2 * m.layers + 1, ops::rmsnorm_forward,
      {.x = x, .gain = gain, .y = y, .rstd = rstd});
  run("rmsnorm_backward", 2 * m.layers + 1, ops::rmsnorm_backward,
      {.dy = dy, .x = x, .gain = gain, .rstd = rstd, .dx = y, .dgain = dgain, .dx_add = y});
  run("rope", 4 * m.layers, ops::rope, {.x = y, .heads = m.heads});
  run("add", 2 * m.layers, ops::add, {.a = x, .b = y, .out = y});
  run("embedding_forward", 1, ops::embedding_forward, {.table = table, .ids = tokens, .out = y});
  run("embedding_backward", 1, ops::embedding_backward,
      {.dout = y, .ids = tokens, .dtable = table});
  const Shape inner{m.tokens(), m.ff_dim};
  const Tensor gate = tensor(inner);
  const Tensor up = tensor(inner);
  const Tensor h = tensor(inner);
  const Tensor dh = tensor(inner);
  run("swiglu_forward", m.layers, ops::swiglu_forward, {.gate = gate, .up = up, .h = h});
  run("swiglu_backward", m.layers, ops::swiglu_backward,
      {.dh = dh, .gate = gate, .up = up, .dgate = gate, .dup = up, .h = h});
}

void Bench::attention() {
  const Model& m = model_;
  const Shape wide{m.batch, m.length, m.dim};
  const Tensor q = tensor(wide), k = tensor(wide), v = tensor(wide), out = tensor(wide);
  const Tensor dq = tensor(wide), dk = tensor(wide), dv = tensor(wide), dout = tensor(wide);
  const Tensor lse = tensor({m.batch, m.heads, m.length});
  const Tensor workspace =
      tensor({attention_workspace_elements(m.dim / m.heads, backend_.parallelism())});
  run("attention_forward", m.layers, ops::attention_forward,
      {.q = q,
       .k = k,
       .v = v,
       .out = out,
       .lse = lse,
       .workspace = workspace,
       .heads = m.heads,
       .kv_heads = m.heads});
  run("attention_backward", m.layers, ops::attention_backward,
      {.dout = dout,
       .q = q,
       .k = k,
       .v = v,
       .out = out,
       .lse = lse,
       .dq = dq,
       .dk = dk,
       .dv = dv,
       .workspace = workspace,
       .heads = m.heads,
       .kv_heads = m.heads});
}

void Bench::loss_and_optimizer() {
  const Model& m = model_;
  const Tensor logits = tensor({kLogitRows, m.vocab});
  const Tensor targets = ids(kLogitRows);
  CrossEntropySums sums;
  run("cross_entropy", m.tokens() / kLogitRows, ops::cross_entropy,
      {.logits = logits, .targets = targets, .sums = &sums});
  const std::int64_t block = 4 * m.dim * m.dim + 3 * m.dim * m.ff_dim;
  const Shape all{m.layers * block + m.vocab * m.dim};
  const Tensor weight = tensor(all), gradient = tensor(all), first = tensor(all);
  const Tensor second = tensor(all);
  run("adamw_step", 1, ops::adamw_step,
      {.weight = weight, .gradient = gradient, .m = first, .v = second});
  double norm = 0;
  run("sum_squares", 1, ops::sum_squares, {.x = gradient, .result = &norm});
  run("fill", 1, ops::fill, {.out = gradient});
}

}  // namespace
}  // namespace lathe

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "15m";
  const auto made = lathe::make_backend("cpu", argc > 2 ? std::atoi(argv[2]) : 0);
  if (!made.ok() || (name != "15m" && name != "60m")) {
    fmt::print(stderr, "usage: op_bench [15m|60m] [threads]\n");
    return 2;
  }
  const lathe::Model model =
      name == "15m" ? lathe::Model{.dim = 288, .layers = 6, .heads = 6, .ff_dim = 768}
                    : lathe::Model{.dim = 512, .layers = 8, .heads = 8, .ff_dim = 1376};
  lathe::Bench bench(**made, model);
  bench.peaks();
  bench.products();
  bench.rows();
  bench.attention();
  bench.loss_and_optimizer();
  bench.totals();
  return 0;
}
