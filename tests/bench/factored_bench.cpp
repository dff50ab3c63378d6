// Layers of two factors beside the dense ones they stand for, in one model and one run: tokens a
// second by how many go through at once, the ratio, and what the operations promise. Rounds of both
// follow each other, and the medians are compared, as machines are noisy.
//   factored_bench [--share S] [--type T] [--wide] [--threads N] [--rounds N]
// --share: of each layer's parameters that its factors have; --wide: four layers of a 1 B LLaMA in
// place of the 30 of a 135 M one.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/random_weights.h"

namespace lathe {
namespace {

struct Options {
  double share = 0.6;
  DType type = DType::kF16;
  bool wide = false;
  int threads = 2;
  int rounds = 5;
};

ModelConfig shape_of(const Options& options) {
  if (options.wide) {
    return {
        .dim = 2048, .layers = 4, .heads = 32, .kv_heads = 8, .ff_dim = 8192, .vocab_size = 4096};
  }
  return {.dim = 576, .layers = 30, .heads = 9, .kv_heads = 3, .ff_dim = 1536, .vocab_size = 49152};
}

std::vector<LinearPlan> plans_of(const ModelConfig& config, double share) {
  std::vector<LinearPlan> plans = dense_plan(config);
  for (LinearPlan& plan : plans) {
    plan.given = true;
    if (share < 1) {
      const auto dense = static_cast<double>(plan.in * plan.out);
      plan.storage = LinearStorage::kLowRank;
      plan.rank =
          static_cast<std::int64_t>(share * dense / static_cast<double>(plan.in + plan.out));
    }
  }
  return plans;
}

struct Subject {
  Subject(Backend& backend, const ModelConfig& config, double share, DType type)
      : model(backend, config, plans_of(config, share), TableMemory::kGiven),
        bytes(fill_random(backend, model, type)) {}
  Transformer model;
  std::int64_t bytes;
};

// Seconds of a pass of `count` tokens behind `before` of them.
double pass_secs(Backend& backend, Subject& subject, const ModelConfig& config, std::int64_t before,
                 std::int64_t count) {
  KvCache cache(backend, config, before + count);
  const std::vector<std::int32_t> values(static_cast<std::size_t>(before + count), 17);
  const auto pass = [&](std::int64_t tokens) {
    const Tensor ids = workspace(backend, "bench", "ids", Shape{tokens}, DType::kI32);
    backend.write(ids, values.data(), ids.ref().bytes());
    const Tensor logits = workspace(backend, "bench", "logits", Shape{1, config.vocab_size});
    subject.model.infer(ids, cache, logits);
    backend.synchronize();
  };
  if (before > 0) {
    pass(before);
  }
  const auto begin = std::chrono::steady_clock::now();
  pass(count);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void compare(const Options& options) {
  const auto backend = std::move(make_backend("cpu", options.threads)).value();
  const ModelConfig config = shape_of(options);
  Subject dense(*backend, config, 1, options.type);
  Subject factored(*backend, config, options.share, options.type);
  fmt::print("{} {}, factors of {:.2f} of each layer's parameters: {} MB against {} MB\n",
             backend->info().device, dtype_name(options.type), options.share,
             factored.bytes / 1000000, dense.bytes / 1000000);
  fmt::print("tokens  dense tok/s  factored tok/s  ratio  by bytes\n");
  for (const std::int64_t count : {1, 4, 16, 64, 256, 512}) {
    const std::int64_t before = count == 1 ? 128 : 0;
    const int repeats = count == 1 ? 8 * options.rounds : options.rounds;
    std::vector<double> slow, fast;
    for (int round = 0; round < repeats; ++round) {
      slow.push_back(pass_secs(*backend, dense, config, before, count));
      fast.push_back(pass_secs(*backend, factored, config, before, count));
    }
    const auto tokens = static_cast<double>(count);
    fmt::print("{:>6} {:>12.1f} {:>15.1f} {:>6.2f} {:>9.2f}\n", count, tokens / median(slow),
               tokens / median(fast), median(slow) / median(fast),
               static_cast<double>(dense.bytes) / static_cast<double>(factored.bytes));
  }
}

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool has_value = i + 1 < argc;
    if (word == "--wide") {
      options.wide = true;
    } else if (word == "--share" && has_value) {
      options.share = std::atof(argv[++i]);
    } else if (word == "--threads" && has_value) {
      options.threads = std::atoi(argv[++i]);
    } else if (word == "--rounds" && has_value) {
      options.rounds = std::atoi(argv[++i]);
    } else if (word == "--type" && has_value) {
      const auto type = stored_type_of_name(argv[++i]);
      if (!type || !can_encode(*type)) {
        return false;
      }
      options.type = *type;
    } else {
      return false;
    }
  }
  return options.share > 0 && options.share <= 1 && options.threads > 0 && options.rounds > 0;
}

}  // namespace
}  // namespace lathe

int main(int argc, char** argv) {
  lathe::Options options;
  if (!lathe::parse(argc, argv, options)) {
    fmt::print(stderr,
               "factored_bench [--share S] [--type T] [--wide] [--threads N] [--rounds N]\n");
    return 2;
  }
  lathe::compare(options);
  return 0;
}
