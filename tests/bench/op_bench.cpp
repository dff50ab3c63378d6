// Every op at the shapes of one training step of a LLaMA-shaped model: time, GFLOP/s, GB/s (the
// bytes that it needs at the least), its share of the step and, where memory bounds it, of the
// speed of copying. The peaks to hold them against are measured first, in the same run. With one
// thread, processor time is measured, so that a busy machine disturbs less.
//   op_bench [--model 15m] [--device cpu] [--products f32] [--threads 0] [--output text|json]
#include <fmt/core.h>
#include <time.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/backend/sums.h"
#include "engine/base/json.h"
#include "tests/bench/bench_shape.h"

namespace lathe {
namespace {

constexpr std::int64_t kLogitRows = 256;

double clock_secs(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

// The shortest of several calls, after one that warms up. On a device many calls are issued before
// it is waited for, so that starting and waiting do not count.
double best_secs(Backend& backend, clockid_t clock, const std::function<void()>& issue) {
  const auto secs_of = [&](int calls) {
    const double start = clock_secs(clock);
    for (int i = 0; i < calls; ++i) {
      issue();
    }
    backend.synchronize();
    return (clock_secs(clock) - start) / calls;
  };
  secs_of(1);
  const bool device = !backend.reads_host_memory();
  const int calls = device ? std::clamp(static_cast<int>(0.02 / secs_of(1)), 1, 100) : 1;
  double best = std::numeric_limits<double>::infinity();
  double total = 0;
  for (int i = 0; i < 25 && (total < 0.5 || i < 4); ++i) {
    const double secs = secs_of(calls);
    best = std::min(best, secs);
    total += secs * calls;
  }
  return best;
}

// Products and attention are bound by arithmetic, all else by memory.
bool bound_by_memory(const std::string& op) {
  return !op.starts_with("matmul") && !op.starts_with("attention");
}

class Bench {
 public:
  Bench(Backend& backend, bench::BenchShape model, bool json)
      : backend_(backend),
        model_(model),
        json_(json),
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
      values[i] = static_cast<std::int32_t>(i * 7919 % static_cast<std::size_t>(model_.vocab_size));
    }
    backend_.write(made, values.data(), count * 4);
    return made;
  }
  // `calls`: how often a step makes this call.
  template <typename Args>
  void run(const std::string& name, std::int64_t calls, void (*op)(Backend&, const Args&),
           const Args& args) {
    report(name, calls, cost(args), best_secs(backend_, clock_, [&] { op(backend_, args); }));
  }
  void report(const std::string& name, std::int64_t calls, const OpCost& cost, double secs);

  void peaks();
  void products();
  void rows();
  void attention();
  void loss_and_optimizer();
  void totals() const {
    if (json_) {
      return;
    }
    fmt::print("a step: {:.1f} ms of products, {:.1f} ms of everything else ({:.1f} %)\n",
               matmul_ms_, other_ms_, 100 * other_ms_ / (matmul_ms_ + other_ms_));
  }

 private:
  void product(const std::string& name, std::int64_t calls, std::int64_t in, std::int64_t out,
               std::int64_t tokens);

  Backend& backend_;
  bench::BenchShape model_;
  bool json_;
  clockid_t clock_;
  std::uint64_t stream_ = 0;
  // A layer's bias by itself, and on the way of the product: of no step's time here.
  void fused(const std::string& name, std::int64_t in, std::int64_t out);

  double matmul_ms_ = 0;
  double other_ms_ = 0;
  double copy_gbytes_ = 0;
};

void Bench::report(const std::string& name, std::int64_t calls, const OpCost& cost, double secs) {
  const double step_ms = 1e3 * secs * double(calls);
  const double gbytes = cost.bytes / secs * 1e-9;
  const double share = gbytes / copy_gbytes_;
  const bool by_memory = bound_by_memory(name);
  (name.starts_with("matmul") ? matmul_ms_ : other_ms_) += step_ms;
  if (json_) {
    fmt::print("{}\n", Json{{"op", name},
                            {"calls", calls},
                            {"secs", secs},
                            {"gflops", cost.flops / secs * 1e-9},
                            {"gbytes_per_s", gbytes},
                            {"of_copy", by_memory ? Json(share) : Json(nullptr)}}
                           .dump());
    return;
  }
  fmt::print("{:<34} {:>4} x {:>9.3f} ms {:>8.1f} ms a step {:>7.1f} GFLOP/s {:>6.1f} GB/s{}\n",
             name, calls, 1e3 * secs, step_ms, cost.flops / secs * 1e-9, gbytes,
             by_memory ? fmt::format(" {:>4.0f} % of copy", 100 * share) : "");
}

void Bench::peaks() {
  const Tensor a = tensor({2048, 2048});
  const Tensor b = tensor({2048, 2048});
  Tensor c = tensor({2048, 2048});
  const MatmulArgs square{.a = a, .b = b, .c = c, .transpose_b = true};
  const Tensor from = tensor({64 << 20});
  Tensor to = tensor({64 << 20});
  const CopyArgs bulk{.from = from, .to = to};
  const double gflops = cost(square).flops * 1e-9 /
                        best_secs(backend_, clock_, [&] { ops::matmul(backend_, square); });
  copy_gbytes_ =
      cost(bulk).bytes * 1e-9 / best_secs(backend_, clock_, [&] { ops::copy(backend_, bulk); });
  if (json_) {
    fmt::print("{}\n", Json{{"device", backend_.info().device},
                            {"products", enum_name(backend_.info().products)},
                            {"square_gflops", gflops},
                            {"copy_gbytes_per_s", copy_gbytes_}}
                           .dump());
    return;
  }
  fmt::print("peaks on {}: {:.1f} GFLOP/s (2048^3), {:.1f} GB/s (copy of 256 MiB)\n",
             backend_.info().device, gflops, copy_gbytes_);
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

void Bench::fused(const std::string& name, std::int64_t in, std::int64_t out) {
  const Tensor x = tensor({model_.tokens(), in});
  const Tensor weight = tensor({out, in});
  const Tensor y = tensor({model_.tokens(), out});
  const Tensor dweight = tensor({out, in});
  const Tensor bias = tensor({out});
  run("bias_add", 0, ops::bias_add, {.x = y, .bias = bias});
  run("bias_backward", 0, ops::bias_backward, {.dy = y, .dbias = bias});
  run("matmul " + name + " forward, bias", 0, ops::matmul,
      {.a = x, .b = weight, .c = y, .transpose_b = true, .bias = bias});
  run("matmul " + name + " dw, dbias", 0, ops::matmul,
      {.a = y, .b = x, .c = dweight, .transpose_a = true, .a_sums = bias});
}

void Bench::products() {
  const bench::BenchShape& m = model_;
  product("q k v o", 4 * m.layers, m.dim, m.dim, m.tokens());
  product("gate up", 2 * m.layers, m.dim, m.ff_dim, m.tokens());
  product("down", m.layers, m.ff_dim, m.dim, m.tokens());
  fused("gate up", m.dim, m.ff_dim);
  product("head", m.tokens() / kLogitRows, m.dim, m.vocab_size, kLogitRows);
}

void Bench::rows() {
  const bench::BenchShape& m = model_;
  const Shape wide{m.batch_size, m.seq_len, m.dim};
  const Tensor x = tensor(wide);
  const Tensor y = tensor(wide);
  const Tensor dy = tensor(wide);
  const Tensor gain = tensor({m.dim});
  const Tensor dgain = tensor({m.dim});
  const Tensor rstd = tensor({m.tokens()});
  const Tensor table = tensor({m.vocab_size, m.dim});
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
  const bench::BenchShape& m = model_;
  const Shape wide{m.batch_size, m.seq_len, m.dim};
  const Tensor q = tensor(wide), k = tensor(wide), v = tensor(wide), out = tensor(wide);
  const Tensor dq = tensor(wide), dk = tensor(wide), dv = tensor(wide), dout = tensor(wide);
  const Tensor lse = tensor({m.batch_size, m.heads, m.seq_len});
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
  const bench::BenchShape& m = model_;
  const Tensor logits = tensor({kLogitRows, m.vocab_size});
  const Tensor targets = ids(kLogitRows);
  const Tensor sums = make_sums(backend_, "bench", "sums");
  run("cross_entropy", m.tokens() / kLogitRows, ops::cross_entropy,
      {.logits = logits, .targets = targets, .sums = sums});
  const std::int64_t block = 4 * m.dim * m.dim + 3 * m.dim * m.ff_dim;
  const Shape all{m.layers * block + m.vocab_size * m.dim};
  const Tensor weight = tensor(all), gradient = tensor(all), first = tensor(all);
  const Tensor second = tensor(all);
  const std::array<AdamwTensor, 1> updated{
      {{.weight = weight, .gradient = gradient, .m = {first}, .v = {second}}}};
  const std::array<TensorRef, 1> gradients{gradient};
  const Tensor step = make_sums(backend_, "bench", "sums", 3);
  run("adamw_step", 1, ops::adamw_step,
      {.tensors = updated,
       .squares = sums_at(step, 1, 1),
       .loss = {},
       .refused = sums_at(step, 2, 1)});
  const Tensor m_codes(backend_.allocator(), DType::kU8, all, {});
  const Tensor v_codes(backend_.allocator(), DType::kU8, all, {});
  const Tensor m_absmax = tensor({blocks_of_moment(all.elements())});
  const Tensor v_absmax = tensor({blocks_of_moment(all.elements())});
  const std::array<AdamwTensor, 1> coded{{{.weight = weight,
                                           .gradient = gradient,
                                           .m = {m_codes, m_absmax},
                                           .v = {v_codes, v_absmax}}}};
  run("adamw_step 8bit", 0, ops::adamw_step,
      {.tensors = coded,
       .squares = sums_at(step, 1, 1),
       .loss = {},
       .refused = sums_at(step, 2, 1)});
  run("sum_squares", 1, ops::sum_squares,
      {.x = gradients, .sums = sums_at(step, 0, 1), .total = sums_at(step, 1, 1)});
  run("fill", 1, ops::fill, {.out = gradient});
}

}  // namespace
}  // namespace lathe

int main(int argc, char** argv) {
  using namespace lathe;
  const auto options = bench::read_options(argc, argv,
                                           {{"--model", "15m"},
                                            {"--threads", "0"},
                                            {"--device", "cpu"},
                                            {"--products", "f32"},
                                            {"--output", "text"}});
  if (!options) {
    return bench::report_failure("op_bench", options.error());
  }
  const auto shape = bench::shape_named(options->at("--model"));
  if (!shape) {
    return bench::report_failure("op_bench", shape.error());
  }
  const auto made = bench::backend_of(*options);
  if (!made) {
    return bench::report_failure("op_bench", made.error());
  }
  try {
    Bench bench(**made, *shape, options->at("--output") == "json");
    bench.peaks();
    bench.products();
    bench.rows();
    bench.attention();
    bench.loss_and_optimizer();
    bench.totals();
    return 0;
  } catch (const std::exception& failure) {  // lack of memory, a device that is lost
    fmt::print(stderr, "op_bench: {}\n", failure.what());
    return 1;
  }
}
