// A teacher: a model whose logits a run is drawn towards, beside its data.
#pragma once

#include <string>

#include "engine/base/describe.h"

namespace lathe {

struct DistillConfig {
  std::string from = {};
  std::string from_hash = {};
  double weight = 0.5;
  double temperature = 1.0;

  static constexpr auto fields() {
    using D = DistillConfig;
    return std::tuple{
        field("from", &D::from,
              {.structural = true,
               .help = "teacher (file, folder or installed model) of the same tokenizer; empty: "
                       "none"}),
        field("from_hash", &D::from_hash,
              {.structural = true, .help = "what `from` must hold; filled in when a run begins"}),
        field("weight", &D::weight,
              {.lo = 0,
               .hi = 1,
               .sweep = true,
               .help = "share w of the teacher in the loss, (1 - w) CE + w T^2 KL from teacher to "
                       "student"}),
        field("temperature", &D::temperature,
              {.lo = 0.05,
               .hi = 100,
               .log = true,
               .sweep = true,
               .help = "T that both models' logits are divided by in KL"})};
  }
};
static_assert(complete<DistillConfig>());

}  // namespace lathe
