// What the last block of a model reads and makes of calibration text.
#pragma once

#include "engine/compress/hidden_states.h"

namespace lathe::test {

// Of the first portion. Precondition: it is the only one.
inline BlockValues last_block_values(Backend& backend, const ModelFile& model,
                                     const CalibrationSequences& text) {
  HiddenStates hidden(model, text);
  CHECK(hidden.portions() == 1, "little text");
  BlockValues values;
  for (std::int64_t i = 0; i < model.config().layers; ++i) {
    Block block = load_block(backend, model, i);
    hidden.pass(backend, block, 0, copying_observer(backend, values));
  }
  return values;
}

}  // namespace lathe::test
