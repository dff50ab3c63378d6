// train_bench: tokens per second, GFLOP/s, share of the device's peak (MFU) and memory of training
// steps at the shapes of shapes.json, on random tokens. One JSON object on stdout, for the
// comparisons and for people. Exit code 77: there is no such device here.
#include <fmt/core.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/rng.h"
#include "engine/data/token_source.h"
#include "engine/train/trainer.h"
#include "tests/bench/bench_shape.h"

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

TrainSpec spec_of(const bench::BenchShape& shape) {
  TrainSpec spec;
  spec.train = {.batch_size = shape.batch_size, .seq_len = shape.seq_len, .eval_every = 0};
  spec.model = {.dim = shape.dim,
                .layers = shape.layers,
                .heads = shape.heads,
                .ff_dim = shape.ff_dim,
                .vocab_size = shape.vocab_size,
                .tied = shape.tied};
  if (shape.rank > 0) {
    spec.method = {{"low_rank", {{"rank", shape.rank}, {"init", "scaled_normal"}}}};
  }
  return spec;
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

struct Measured {
  std::vector<double> step_secs;  // sorted, without those that warm up
  StepReport last;
};

Result<Measured> measure(Trainer& trainer, int steps, int warm_up) {
  Measured measured;
  for (int i = 0; i < steps + warm_up; ++i) {
    const auto report = trainer.step();
    if (!report) {
      return report.error();
    }
    measured.last = *report;
    measured.step_secs.push_back(report->step_secs);
  }
  measured.step_secs.erase(measured.step_secs.begin(), measured.step_secs.begin() + warm_up);
  std::sort(measured.step_secs.begin(), measured.step_secs.end());
  return measured;
}

Json result_of(const bench::Options& options, const bench::BenchShape& shape, Backend& backend,
               const Measured& measured) {
  const double median = measured.step_secs[measured.step_secs.size() / 2];
  const double model_flops = bench::model_flops_per_step(shape);
  const std::string& stated = options.at("--peak-tflops");
  const double peak =
      stated.empty()
          ? bench::peak_tflops(backend.info().device, backend.info().products).value_or(0)
          : std::stod(stated);
  const std::optional<std::int64_t> used = backend.device_used_bytes();
  return {{"model", options.at("--model")},
          {"device", backend.info().device},
          {"products", enum_name(backend.info().products)},
          {"graph", options.at("--graph") == "1"},
          {"step_secs", median},
          {"best_step_secs", measured.step_secs.front()},
          {"tokens_per_s", static_cast<double>(shape.tokens()) / median},
          {"gflop_per_step", measured.last.flops / 1e9},
          {"gflops", measured.last.flops / median / 1e9},
          {"model_gflop_per_step", model_flops / 1e9},
          {"peak_tflops", peak > 0 ? Json(peak) : Json(nullptr)},
          {"mfu", peak > 0 ? Json(model_flops / median / peak * 1e-12) : Json(nullptr)},
          {"ledger_peak_bytes", measured.last.peak.live_bytes},
          {"pool_bytes", backend.allocator().pool_bytes()},
          {"device_used_bytes", used ? Json(*used) : Json(nullptr)},
          {"peak_resident_bytes", peak_resident_bytes()},
          {"loss", measured.last.loss}};
}

Result<Json> run(const bench::Options& options) {
  Result<bench::BenchShape> shape = bench::shape_named(options.at("--model"));
  if (!shape) {
    return shape.error();
  }
  if (const std::string& batch = options.at("--batch"); !batch.empty()) {
    shape->batch_size = std::stoll(batch);
  }
  auto backend = bench::backend_of(options);
  if (!backend) {
    return backend.error();
  }
  TrainSpec spec = spec_of(*shape);
  spec.train.graph = options.at("--graph") == "1";
  const auto plan = plan_step(spec, (*backend)->machine());
  if (!plan) {
    return plan.error();
  }
  std::vector<std::string> warnings;
  const auto data = std::make_shared<RandomTokens>(spec.model.vocab_size);
  auto trainer = make_trainer(**backend, spec, data, warnings);
  if (!trainer) {
    return trainer.error();
  }
  // The first step takes memory, the second one is recorded where there is a graph.
  const int warm_up = spec.train.graph ? 2 : 1;
  const auto measured = measure(**trainer, std::max(1, std::stoi(options.at("--steps"))), warm_up);
  if (!measured) {
    return measured.error();
  }
  Json result = result_of(options, *shape, **backend, *measured);
  result["parameters"] = (*trainer)->parameter_count();
  result["planned_peak_bytes"] = plan->peak.live_bytes;
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = bench::read_options(argc, argv,
                                           {{"--model", "15m"},
                                            {"--steps", "5"},
                                            {"--threads", "0"},
                                            {"--device", "cpu"},
                                            {"--products", "f32"},
                                            {"--batch", ""},
                                            {"--graph", "0"},
                                            {"--peak-tflops", ""}});
  if (!options) {
    return bench::report_failure("train_bench", options.error());
  }
  try {
    const Result<Json> result = run(*options);
    if (!result) {
      return bench::report_failure("train_bench", result.error());
    }
    fmt::print("{}\n", result->dump());
    return 0;
  } catch (const std::exception& failure) {  // lack of memory, a device that is lost, no number
    fmt::print(stderr, "train_bench: {}\n", failure.what());
    return 1;
  }
}
