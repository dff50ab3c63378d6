// train_bench: tokens per second, GFLOP/s and memory of training steps at the shapes of
// docs/benchmarks.md, on random tokens. One JSON object on stdout, for compare_training.py and for
// people.
#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/rng.h"
#include "engine/data/token_source.h"
#include "engine/train/trainer.h"

namespace {

using namespace lathe;

// Random tokens of a vocabulary.
class RandomTokens final : public TokenSource {
 public:
  explicit RandomTokens(std::int64_t vocab_size) {
    info_.vocab_size = vocab_size;
    Rng rng(1, 1);
    tokens_.resize(1 << 20);
    for (std::int32_t& token : tokens_) {
      token = static_cast<std::int32_t>(rng.next_below(static_cast<std::uint64_t>(vocab_size)));
    }
  }
  const CorpusInfo& info() const override { return info_; }
  std::span<const std::int32_t> tokens(Split) const override { return tokens_; }
  std::string decode(std::span<const std::int32_t>) const override { return ""; }

 private:
  CorpusInfo info_;
  std::vector<std::int32_t> tokens_;
};

struct Options {
  std::string model = "15m";
  int steps = 5;
  int threads = 0;
  std::string device = "cpu";
};

bool read_options(int argc, char** argv, Options& options) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string key = argv[i];
    if (key == "--model") {
      options.model = argv[i + 1];
    } else if (key == "--steps") {
      options.steps = std::stoi(argv[i + 1]);
    } else if (key == "--threads") {
      options.threads = std::stoi(argv[i + 1]);
    } else if (key == "--device") {
      options.device = argv[i + 1];
    } else {
      return false;
    }
  }
  return argc % 2 == 1;
}

// The shapes of the comparison; false for an unknown name.
bool shape_of(const std::string& name, TrainSpec& spec) {
  spec.train = {.batch_size = 8, .seq_len = 256, .eval_every = 0};
  spec.model.vocab_size = 32000;
  if (name == "15m") {
    spec.model.dim = 288;
    spec.model.layers = 6;
    spec.model.heads = 6;
    spec.model.ff_dim = 768;
    return true;
  }
  spec.model.dim = 512;
  spec.model.layers = 8;
  spec.model.heads = 8;
  spec.model.ff_dim = 1376;
  spec.model.tied = false;
  if (name == "60m-r128") {
    spec.method = {{"low_rank", {{"rank", 128}, {"init", "scaled_normal"}}}};
  }
  return name == "60m" || name == "60m-r128";
}

std::int64_t peak_resident_bytes() {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with("VmHWM:")) {
      return std::stoll(line.substr(6)) * 1024;
    }
  }
  return 0;
}

int run(const Options& options) {
  TrainSpec spec;
  if (!shape_of(options.model, spec)) {
    fmt::print(stderr, "train_bench: no model '{}'; there are 15m, 60m, 60m-r128\n", options.model);
    return 2;
  }
  auto backend = make_backend(options.device, options.threads);
  if (!backend) {
    fmt::print(stderr, "train_bench: {}\n", backend.error().text());
    return 1;
  }
  std::vector<std::string> warnings;
  const auto data = std::make_shared<RandomTokens>(spec.model.vocab_size);
  auto trainer = make_trainer(**backend, spec, data, warnings);
  if (!trainer) {
    fmt::print(stderr, "train_bench: {}\n", trainer.error().text());
    return 1;
  }
  std::vector<double> secs;
  StepReport last;
  for (int i = 0; i < options.steps + 1; ++i) {  // the first warms up
    const auto report = (*trainer)->step();
    if (!report) {
      fmt::print(stderr, "train_bench: {}\n", report.error().text());
      return 1;
    }
    last = *report;
    secs.push_back(report->step_secs);
  }
  secs.erase(secs.begin());
  std::sort(secs.begin(), secs.end());
  const double median = secs[secs.size() / 2];
  const double tokens = static_cast<double>(spec.train.batch_size * spec.train.seq_len);
  fmt::print("{}\n", Json{{"model", options.model},
                          {"device", (*backend)->info().device},
                          {"parameters", (*trainer)->parameter_count()},
                          {"step_secs", median},
                          {"best_step_secs", secs.front()},
                          {"tokens_per_s", tokens / median},
                          {"gflop_per_step", last.flops / 1e9},
                          {"gflops", last.flops / median / 1e9},
                          {"ledger_peak_bytes", last.peak.live_bytes},
                          {"pool_bytes", (*backend)->allocator().pool_bytes()},
                          {"peak_resident_bytes", peak_resident_bytes()},
                          {"loss", last.loss}}
                         .dump());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!read_options(argc, argv, options)) {
    fmt::print(stderr,
               "usage: train_bench [--model 15m|60m|60m-r128] [--steps N] [--threads T] "
               "[--device cpu]\n");
    return 2;
  }
  return run(options);
}
