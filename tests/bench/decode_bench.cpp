// Decoding on the shape of a model of 135 million parameters whose weights are stored in a given
// type: tokens a second of prefill and decode, the bytes that a token reads, and which fraction
// that is of the memory bandwidth measured in the same run.
//   decode_bench [f16|bf16|q8_0|q4_0|q4_1|f32|palette3 ...] [--threads N] [--prompt N] [--tokens N]
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "engine/backend/sums.h"
#include "engine/lm/generator.h"
#include "engine/quant/block_codec.h"
#include "tests/bench/random_weights.h"

namespace lathe {
namespace {

constexpr std::int64_t kWidth = 576;

struct Options {
  std::vector<DType> types;
  int threads = 2;
  std::int64_t prompt = 256;
  std::int64_t tokens = 32;
};

// Bytes a second of a pass over more memory than any cache holds, the best of five.
double measured_bandwidth(Backend& backend) {
  constexpr std::int64_t kElements = std::int64_t{1} << 26;
  const Tensor x(backend.allocator(), DType::kF32, Shape{kElements}, {});
  ops::fill(backend, {.out = x, .value = 1.0f});
  const std::array<TensorRef, 1> list{x};
  const Tensor sums = make_sums(backend, "bench", "sums", 2);
  double best = 0.0;
  for (int i = 0; i < 5; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    ops::sum_squares(backend,
                     {.x = list, .sums = sums_at(sums, 0, 1), .total = sums_at(sums, 1, 1)});
    backend.synchronize();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    best = std::max(best, double(x.ref().bytes()) / took.count());
  }
  return best;
}

void run(Backend& backend, DType dtype, const Options& options, double bandwidth) {
  const ModelConfig config{.dim = kWidth,
                           .layers = 30,
                           .heads = 9,
                           .kv_heads = 3,
                           .ff_dim = 1536,
                           .vocab_size = 49152,
                           .tied = true};
  std::vector<LinearPlan> plans = dense_plan(config);
  for (LinearPlan& plan : plans) {
    plan.given = true;
  }
  Transformer model(backend, config, plans, TableMemory::kGiven);
  const std::int64_t bytes = fill_random(backend, model, dtype);
  Generator generator(backend, model, config, options.prompt + options.tokens);
  GenerateRequest request{
      .prompt = std::vector<std::int32_t>(static_cast<std::size_t>(options.prompt), 17)};
  request.max_tokens = options.tokens;
  const GenerateResult result = generator.generate(request, {}).value();
  const double rate = result.decode_tokens_per_second();
  fmt::print(
      "{:<5} prefill {:>7.1f} tok/s, decode {:>6.1f} tok/s, {:>4} MB a token, {:>5.1f} GB/s, "
      "{:.0f}% of {:.1f} GB/s\n",
      dtype_name(dtype), result.prefill_tokens_per_second(), rate, bytes / 1000000,
      double(bytes) * rate * 1e-9, 100.0 * double(bytes) * rate / bandwidth, bandwidth * 1e-9);
}

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool has_value = i + 1 < argc;
    if (word == "--threads" && has_value) {
      options.threads = std::atoi(argv[++i]);
    } else if (word == "--prompt" && has_value) {
      options.prompt = std::atoi(argv[++i]);
    } else if (word == "--tokens" && has_value) {
      options.tokens = std::atoi(argv[++i]);
    } else if (const auto type = stored_type_of_name(word);
               type && (can_encode(*type) || palette_form(*type).bits > 0) &&
               kWidth % info_of(*type).block_elements == 0) {
      options.types.push_back(*type);
    } else {
      return false;
    }
  }
  if (options.types.empty()) {
    options.types = {DType::kF16, DType::kQ8_0, DType::kQ4_0};
  }
  return options.threads > 0 && options.prompt > 0 && options.tokens > 1;
}

}  // namespace
}  // namespace lathe

int main(int argc, char** argv) {
  lathe::Options options;
  if (!lathe::parse(argc, argv, options)) {
    fmt::print(stderr, "decode_bench [TYPE ...] [--threads N] [--prompt N] [--tokens N]\n");
    return 2;
  }
  for (const lathe::DType dtype : options.types) {
    const auto backend = std::move(lathe::make_backend("cpu", options.threads)).value();
    const double bandwidth = lathe::measured_bandwidth(*backend);
    lathe::run(*backend, dtype, options, bandwidth);
  }
  return 0;
}
