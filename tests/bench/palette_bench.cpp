// A step of DKM on one matrix: its soft weights, and the gradient of the weights by that of them,
// in each way of keeping what backward needs. One line of JSON a round: seconds of both, what is
// kept in between and the peak beside weight and gradient, by the ledger.
//   palette_bench [--side N] [--bits B] [--iterations R] [--memory table|...] [--maps bf16|f32]
//                 [--threads N] [--rounds N]
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "engine/methods/dkm/dkm.h"
#include "engine/nn/palette.h"

namespace lathe {
namespace {

struct Options {
  std::int64_t side = 2048;
  std::int64_t bits = 3;
  std::int64_t iterations = 1;
  PaletteMemory memory = PaletteMemory::kTable;
  DType maps = DType::kBf16;
  int threads = 2;
  int rounds = 5;
};

int usage() {
  fmt::print(stderr,
             "palette_bench [--side N] [--bits B] [--iterations R] [--memory "
             "table|uniquified|marshaled|naive] [--maps bf16|f32] [--threads N] [--rounds N]\n");
  return 64;
}

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const std::string_view value = argv[i + 1];
    const int number = std::atoi(argv[i + 1]);
    const auto& memories = EnumNames<PaletteMemory>::names;
    const auto memory = std::find(memories.begin(), memories.end(), value);
    if (name == "--side" && number > 0) {
      options.side = number;
    } else if (name == "--bits" && number >= 1 && number <= 8) {
      options.bits = number;
    } else if (name == "--iterations" && number > 0) {
      options.iterations = number;
    } else if (name == "--memory" && memory != memories.end()) {
      options.memory = static_cast<PaletteMemory>(memory - memories.begin());
    } else if (name == "--maps" && (value == "bf16" || value == "f32")) {
      options.maps = value == "f32" ? DType::kF32 : DType::kBf16;
    } else if (name == "--threads" && number > 0) {
      options.threads = number;
    } else if (name == "--rounds" && number > 0) {
      options.rounds = number;
    } else {
      return false;
    }
  }
  return argc % 2 == 1;
}

double secs_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int run(const Options& options) {
  auto made = make_backend("cpu", options.threads);
  if (!made) {
    fmt::print(stderr, "{}\n", made.error().text());
    return 1;
  }
  Backend& backend = **made;
  const Shape shape{options.side, options.side};
  Parameter weight = make_parameter(backend, "bench", "weight", shape, true);
  draw_values(backend, weight, {.out = {}, .seed = 1, .stream = 2, .stddev = 0.02f});
  Tensor upstream = workspace(backend, "bench", "upstream", shape);
  ops::random_fill(backend, {.out = upstream, .seed = 1, .stream = 3, .stddev = 1.0f});
  PalettePlan plan{.clusters = std::int64_t{1} << options.bits, .iterations = options.iterations};
  plan.memory = options.memory;
  plan.maps = options.maps;
  Palette palette(backend, "bench", "weight", plan, shape);
  if (const auto begun = palette.begin(weight); !begun) {
    fmt::print(stderr, "{}\n", begun.error().text());
    return 1;
  }
  palette.set_soft(true);
  Ledger& ledger = backend.ledger();
  for (int round = 0; round < options.rounds; ++round) {
    const TensorRef gradient = gradient_slot(backend, weight).gradient;
    ops::copy(backend, {.from = upstream, .to = gradient});
    const std::int64_t before = ledger.live().live_bytes;
    ledger.reset_peak();
    auto start = std::chrono::steady_clock::now();
    palette.weights(weight.weight).reset();
    const double forward = secs_since(start);
    const std::int64_t kept = ledger.live().live_bytes - before;
    start = std::chrono::steady_clock::now();
    palette.finish(weight);
    const double backward = secs_since(start);
    fmt::print(
        "{{\"memory\": \"{}\", \"side\": {}, \"bits\": {}, \"iterations\": {}, "
        "\"forward_secs\": {:.6f}, \"backward_secs\": {:.6f}, \"kept_bytes\": {}, "
        "\"peak_bytes\": {}}}\n",
        enum_name(options.memory), options.side, options.bits, options.iterations, forward,
        backward, kept, ledger.peak().live_bytes - before);
  }
  return 0;
}

}  // namespace
}  // namespace lathe

int main(int argc, char** argv) {
  lathe::Options options;
  if (!lathe::parse(argc, argv, options)) {
    return lathe::usage();
  }
  return lathe::run(options);
}
