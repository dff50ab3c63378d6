// A model as adapters are trained beside it where train.frozen names a type.
#pragma once

#include "engine/io/model_file.h"
#include "engine/quant/stored_type.h"

namespace lathe {

// `file` with the matrices of its slots rounded to nearest in `type`, embedding and head in
// kTableType: the values that `lathe compress FILE decompose=false quant.type=...` writes. They are
// in memory, no longer in the file. Precondition: can_encode_matrix(type), and rows are whole
// blocks of it.
ModelFile rounded_base(const ModelFile& file, StoredType type);

}  // namespace lathe
