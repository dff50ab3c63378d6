// How much the loss minds an error in each layer's output, which makes errors of different layers
// comparable where a budget of parameters is spent among them, and in each weight, which does so
// within a matrix.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/base/result.h"
#include "engine/compress/calibration.h"
#include "engine/compress/decomposition.h"
#include "engine/io/model_file.h"

namespace lathe {

// For each slot of the model, in order: E ||dL/dy||^2 / out, the mean over tokens of the loss's
// squared gradient by one output. With g independent of an error e, E (g e)^2 is about that times
// E ||e||^2: the second-order rise of the loss by the empirical Fisher information (as Optimal
// Brain Damage has it; a diagonal, one number a layer). On the first `tokens` of the sequences at
// most. kDiverged for gradients that are not finite, kInterrupted. Throws OutOfMemory: a training
// step without an optimizer is held.
Result<std::vector<double>> output_sensitivity(Backend& backend, const ModelFile& model,
                                               const CalibrationSequences& sequences,
                                               std::int64_t tokens,
                                               const CompressProgress& progress);

// For each matrix of the slots of `types`, by name: the sum over sequences of the squared gradient
// of their loss by each weight, the diagonal of the empirical Fisher information (SqueezeLLM, arXiv
// 2306.07629, section 4.1) up to a factor. As above; held are gradients and these sums besides.
Result<std::map<std::string, std::vector<float>>> weight_sensitivity(
    Backend& backend, const ModelFile& model, const CalibrationSequences& sequences,
    std::span<const LayerType> types, std::int64_t tokens, const CompressProgress& progress);

}  // namespace lathe
