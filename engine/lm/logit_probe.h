// What an export is proved by: the logits of a few positions on ids drawn at random, or of a few
// images of random pixels, of what was written and of what it was written from.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/lm/model_export.h"
#include "engine/nn/transformer.h"

namespace lathe {

// Same weights, same kernels: what was written may differ by so much, where only the order of sums
// inside a slot differs.
inline constexpr double kProbeTolerance = 1e-3;

// [64 positions or the model's context, vocab]; of a model of images [8 images, classes].
std::vector<float> probe_logits(Backend& backend, Transformer& transformer,
                                const ModelConfig& model);
// The same of a file whose slots are `plans`, as floats.
std::vector<float> file_logits(Backend& backend, const ModelFile& source,
                               const std::vector<LinearPlan>& plans);

// The largest difference; infinite where either is not finite, so that no comparison passes on NaN.
double max_difference(const std::vector<float>& a, const std::vector<float>& b);

// max_change, mean_kl and argmax_agreement of the report.
void compare_logits(const std::vector<float>& before, const std::vector<float>& after,
                    std::int64_t vocab, ExportReport& report);

}  // namespace lathe
