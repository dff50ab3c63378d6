// LoRA: a narrow pair of factors beside a weight that is frozen, and ReLoRA: the pair is added to
// the weight every so often and begins anew (README.md: papers, equations).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/describe.h"
#include "engine/methods/method.h"
#include "engine/nn/linear_plan.h"

namespace lathe {

template <>
struct EnumNames<AdapterInit> {
  static constexpr std::array<std::string_view, 3> names{"default", "pissa", "loftq"};
};

struct LoraParams {
  std::int64_t rank = 0;
  double alpha = 16;
  std::vector<std::string> targets = {"q", "v"};
  AdapterInit init = AdapterInit::kDefault;
  double dropout = 0;
  bool train_rest = false;
  std::int64_t restart_every = 0;
  double restart_prune = 0.999;
  std::int64_t restart_warmup = 100;

  static constexpr auto fields() {
    using P = LoraParams;
    return std::tuple{
        field("rank", &P::rank,
              {.lo = 0,
               .hi = 16384,
               .log = true,
               .sweep = true,
               .structural = true,
               .help = "width r of the adapters; 0: none",
               .qualified = true}),
        field("alpha", &P::alpha,
              {.lo = 1e-3,
               .hi = 65536,
               .log = true,
               .sweep = true,
               .structural = true,
               .help = "an adapter counts alpha / r times"}),
        field(
            "targets", &P::targets,
            {.structural = true, .help = "slots that get one: q, k, v, o, gate, up, down, or all"}),
        field(
            "init", &P::init,
            {.sweep = true,
             .structural = true,
             .help = "default: A random, B zero; pissa: the weight's leading singular directions, "
                     "which the frozen weight then lacks; loftq: as the model brings it "
                     "(quant.loftq_rank)",
             .qualified = true}),
        field(
            "dropout", &P::dropout,
            {.lo = 0,
             .hi = 0.9,
             .sweep = true,
             .structural = true,
             .help = "share of an adapter's input that is dropped in training, drawn anew at each "
                     "step; the rest is enlarged to make up for it",
             .qualified = true}),
        field("train_rest", &P::train_rest,
              {.sweep = true,
               .structural = true,
               .help = "also train what has no adapter: embedding, norms, head, other slots"}),
        field("restart_every", &P::restart_every,
              {.lo = 0,
               .hi = 1e9,
               .log = true,
               .sweep = true,
               .unit = "steps",
               .help = "ReLoRA: so often adapters join their weights and begin anew; 0: never"}),
        field(
            "restart_prune", &P::restart_prune,
            {.lo = 0,
             .hi = 1,
             .sweep = true,
             .help = "share of an adapter's optimizer state, the smallest moments, that a restart "
                     "sets to zero"}),
        field("restart_warmup", &P::restart_warmup,
              {.lo = 0,
               .hi = 1e9,
               .log = true,
               .unit = "steps",
               .help = "the rate rises again over so many steps after a restart"})};
  }
};
static_assert(complete<LoraParams>());

// The registry's row.
Method lora_method();

}  // namespace lathe
