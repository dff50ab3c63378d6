// The weights of a model as an export wants them: dense, rounded to the stored type, rows in the
// order of the format.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine/io/model_file.h"
#include "engine/lm/model_export.h"

namespace lathe {

struct ExportWeight {
  NamedWeight named;
  StoredType type = StoredType::kF32;
  std::string fallback;  // why the type is not the one asked for; empty: it is
  bool merged = false;   // of two factors
};

// Every weight in the order of the file, its stored type decided.
std::vector<ExportWeight> export_weights(const ModelFile& source, const ExportRequest& request);

// W [out, in] in f32: as the source has it, or the product B A of a factored slot.
std::vector<float> dense_values(const ModelFile& source, const ExportWeight& weight);
// The bytes that the file gets.
std::vector<std::byte> encoded_rows(const ExportWeight& weight, const std::vector<float>& values);
// `values` as a reader of that file gets them.
void round_to_type(StoredType type, std::vector<float>& values);

}  // namespace lathe
