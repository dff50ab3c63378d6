// A training small enough for a test of a method: its spec, and a trainer on the processor.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/methods/method.h"
#include "engine/train/trainer.h"
#include "tests/support/memory_tokens.h"

namespace lathe::test {

inline constexpr std::int64_t kTinyVocab = 40;

inline TrainSpec tiny_spec() {
  TrainSpec spec;
  spec.model = {.dim = 32, .layers = 2, .heads = 4, .ff_dim = 64, .vocab_size = kTinyVocab};
  spec.train = {.steps = 30, .batch_size = 4, .seq_len = 16, .eval_batches = 2};
  spec.optim = {.lr = 1e-2, .warmup_steps = 4};
  return spec;
}

// Parameters of a method as a spec holds them.
inline Json params(std::string_view id, const Json& given) {
  std::vector<std::string> errors;
  Json full = find_method(id)->normalise(given, "method." + std::string(id), errors);
  EXPECT_TRUE(errors.empty());
  return full;
}

struct TinyRun {
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Trainer> trainer;
  void steps(int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(trainer->step().ok());
    }
  }
};

inline TinyRun make_run(const TrainSpec& spec, int threads = 2) {
  TinyRun run{std::move(*make_backend("cpu", threads)), nullptr};
  std::vector<std::string> warnings;
  auto trainer = make_trainer(*run.backend, spec, learnable_tokens(kTinyVocab, 2000), warnings);
  EXPECT_TRUE(trainer.ok()) << (trainer.ok() ? "" : trainer.error().text());
  run.trainer = std::move(*trainer);
  return run;
}

// What a plan of it is refused with.
inline std::string refusal(const TrainSpec& spec) {
  const auto plan = plan_step(spec, {.parallelism = 1});
  EXPECT_FALSE(plan.ok());
  return plan.ok() ? "" : plan.error().text();
}

}  // namespace lathe::test
