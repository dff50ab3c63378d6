// Calibration sequences on their way through a model, block by block: what lies between two blocks
// is kept in the machine's memory, so that one block's weights at a time have to be.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/compress/calibration.h"
#include "engine/io/model_file.h"
#include "engine/nn/block.h"

namespace lathe {

// A model's block `index` on a back end, its weights as floats. `slots`: its plans, factored or
// not.
Block load_block(Backend& backend, const ModelFile& model, std::int64_t index);

class HiddenStates {
 public:
  // The embedded sequences. Holds 4 bytes x tokens x width of the model.
  HiddenStates(const ModelFile& model, const CalibrationSequences& sequences);

  // Portions of whole sequences, small enough that a block's inputs of one fit in some 100 MB.
  std::int64_t portions() const;
  // First sequence of a portion; that of portions() is the number of sequences.
  std::int64_t first_sequence(std::int64_t portion) const;
  std::int64_t sequence_length() const { return length_; }

  // Sends a portion through the block; its output takes its place.
  void pass(Backend& backend, Block& block, std::int64_t portion, const BlockObserver& observer);
  // The same, but what the portion holds stays.
  void look(Backend& backend, Block& block, std::int64_t portion,
            const BlockObserver& observer) const;

 private:
  Tensor send(Backend& backend, Block& block, std::int64_t portion,
              const BlockObserver& observer) const;
  std::int64_t first_value(std::int64_t portion) const {
    return first_sequence(portion) * length_ * dim_;
  }

  std::int64_t count_;
  std::int64_t length_;
  std::int64_t dim_;
  std::int64_t portion_;  // sequences
  std::vector<float> values_;
};

// What a block's slots read and make of one portion, copied: [rows, width] of each.
using BlockValues = std::array<std::vector<float>, kBlockValues>;
// An observer that copies into `values`.
BlockObserver copying_observer(Backend& backend, BlockValues& values);

}  // namespace lathe
