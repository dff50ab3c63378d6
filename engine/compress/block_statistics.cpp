// See block_statistics.h.
#include "engine/compress/block_statistics.h"

namespace lathe {
namespace {

// What a slot that has an input to itself makes of it, by place in BlockValues.
std::size_t made_from(std::size_t input) {
  return static_cast<std::size_t>(input == static_cast<std::size_t>(BlockValue::kDown)
                                      ? BlockValue::kDownMade
                                      : BlockValue::kOutputMade);
}

bool read_by_one(std::size_t input) {
  return input == static_cast<std::size_t>(BlockValue::kDown) ||
         input == static_cast<std::size_t>(BlockValue::kOutput);
}

}  // namespace

const char* input_name(std::size_t input) {
  static constexpr std::array<const char*, kBlockInputs> kNames{"attention", "output", "mlp",
                                                                "down"};
  return kNames[input];
}

std::size_t input_of(const ModelFile& model, std::size_t slot) {
  const std::int64_t within = static_cast<std::int64_t>(slot) % model.config().slots_per_block();
  return static_cast<std::size_t>(input_of_slot(model.config(), within));
}

BlockStatistics::BlockStatistics(const ModelFile& model, std::span<const std::size_t> slots)
    : model_(model) {
  for (const std::size_t slot : slots) {
    const LinearPlan& plan = model.plans()[slot];
    const std::size_t input = input_of(model, slot);
    if (read_by_one(input) && plan.out < plan.in) {
      outputs_[input].emplace(
          Seen{.statistics = OutputStatistics(plan.in, plan.out),
               .bias = plan.bias ? model.floats(plan.name + ".bias") : std::vector<float>()});
    } else if (!inputs_[input]) {
      inputs_[input].emplace(plan.in);
    }
  }
}

Result<void> BlockStatistics::add(const BlockValues& values, std::size_t& input) {
  for (input = 0; input < kBlockInputs; ++input) {
    Result<void> added;
    if (inputs_[input]) {
      added = inputs_[input]->add(values[input]);
    } else if (outputs_[input]) {
      added = add_outputs(*outputs_[input], values[input], values[made_from(input)]);
    }
    if (!added) {
      return added;
    }
  }
  return {};
}

Result<void> BlockStatistics::add_outputs(Seen& seen, const std::vector<float>& x,
                                          const std::vector<float>& made) {
  if (seen.bias.empty()) {
    return seen.statistics.add(x, made);
  }
  unbiased_.resize(made.size());
  for (std::size_t i = 0; i < made.size(); ++i) {
    unbiased_[i] = made[i] - seen.bias[i % seen.bias.size()];
  }
  return seen.statistics.add(x, unbiased_);
}

void BlockStatistics::attach(std::size_t slot, LayerProblem& problem) const {
  const std::size_t input = input_of(model_, slot);
  if (outputs_[input]) {
    problem.output = &outputs_[input]->statistics;
  } else {
    problem.input = &*inputs_[input];
  }
}

}  // namespace lathe
