// A model's dense linear slots in few bits with adapters beside them that make up for what rounding
// loses (LoftQ).
#pragma once

#include <span>
#include <vector>

#include "engine/base/result.h"
#include "engine/compress/progress.h"
#include "engine/compress/stored_slots.h"
#include "engine/io/adapter_merge.h"
#include "engine/io/model_file.h"
#include "engine/methods/quant/loftq.h"

namespace lathe {

struct LoftqModel {
  StoredModel stored;                   // errors: of matrix and adapter together
  std::vector<StoredAdapter> adapters;  // of scale 1, one for each of stored.layers
};

// `types`: whose matrices. kUsage, naming the slot, where it is two factors, its rows are not whole
// blocks or the rank is above its smaller side; kInterrupted.
Result<LoftqModel> loftq_slots(const ModelFile& model, StoredType type, const LoftqOptions& options,
                               std::span<const LayerType> types, const CompressProgress& progress);

}  // namespace lathe
