// The teacher that distill.from names: found, its weights opened as they are stored, and whether it
// reads text as the student does.
#pragma once

#include "engine/base/result.h"
#include "engine/data/text_coder.h"
#include "engine/train/train_spec.h"

namespace lathe::experiments {

// The config with the lasting name and the hash filled in; itself where `from` is empty. kUsage
// where there is no such model, kMismatch where distill.from_hash is that of other weights, kData
// for a file that cannot be read.
Result<DistillConfig> settle_teacher(const DistillConfig& distill);

// What the trainer takes of a settled config; null where `from` is empty. Errors as above; kUsage
// where the run begins with no model, whose tokenizer the teacher could share.
Result<std::shared_ptr<const GivenModel>> open_teacher(const TrainSpec& spec);

// kUsage, with the first difference, where the teacher's tokenizer is not the run's own: other
// tokens, or a text that comes apart otherwise. kData where it has none. Precondition:
// distill.from is not empty.
Result<void> check_teacher_text(const DistillConfig& distill, const ModelEncoding& own);

// Both models of a spec settled: what model.from and distill.from name.
Result<void> settle_models(TrainSpec& spec);

}  // namespace lathe::experiments
