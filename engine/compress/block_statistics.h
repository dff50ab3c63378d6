// Statistics of what the layers of one block of a dense model read, for those that are to be
// solved.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/compress/hidden_states.h"
#include "engine/io/model_file.h"
#include "engine/methods/lord/solver.h"

namespace lathe {

// "attention", "output", "mlp", "down": who reads input `input`, for messages.
const char* input_name(std::size_t input);

// Which of its block's inputs slot `slot` of the model reads, by place in BlockValues.
std::size_t input_of(const ModelFile& model, std::size_t slot);

// A layer that has an input to itself and fewer outputs than inputs (down) is looked at from its
// outputs, which takes a fraction of the operations and of the memory: a Gram matrix of [out, out].
class BlockStatistics {
 public:
  // `slots`: of one block, by place in the model's list.
  BlockStatistics(const ModelFile& model, std::span<const std::size_t> slots);

  // Adds what a portion showed. kData for values that are not finite; `input` is then whose.
  Result<void> add(const BlockValues& values, std::size_t& input);

  // Makes `problem`, of that slot, refer to its statistics.
  void attach(std::size_t slot, LayerProblem& problem) const;

 private:
  // A layer seen from its outputs.
  struct Seen {
    OutputStatistics statistics;
    std::vector<float> bias;  // of the layer; empty where it has none
  };

  Result<void> add_outputs(Seen& seen, const std::vector<float>& x, const std::vector<float>& made);

  const ModelFile& model_;
  std::array<std::optional<InputStatistics>, kBlockInputs> inputs_;
  std::array<std::optional<Seen>, kBlockInputs> outputs_;
  std::vector<float> unbiased_;  // W x of a portion
};

}  // namespace lathe
