// That a plan is what a step needs, however activations are kept.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "tests/methods/tiny_run.h"

namespace lathe::test {

inline void expect_planned_peaks(const std::vector<TrainSpec>& specs) {
  for (const ActivationStore store : {ActivationStore::kF32, ActivationStore::kBf16}) {
    for (const Recompute recompute : {Recompute::kNone, Recompute::kCheap, Recompute::kBlocks}) {
      for (TrainSpec spec : specs) {
        spec.train.activations = store;
        spec.train.recompute = recompute;
        TinyRun run = make_run(spec);
        const StepReport step = *run.trainer->step();
        EXPECT_EQ(plan_step(spec, {.parallelism = 2})->peak.by_category, step.peak.by_category);
      }
    }
  }
}

}  // namespace lathe::test
