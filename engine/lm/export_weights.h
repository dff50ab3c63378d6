// The weights of a model as an export wants them: dense, under the format's names, in its order of
// rows, those that it keeps as one tensor put together, rounded to the stored type.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine/io/model_file.h"
#include "engine/lm/model_export.h"

namespace lathe {

// A tensor of the file: one weight, or q, k and v together.
struct ExportTensor {
  std::string stored_name;
  std::vector<std::int64_t> shape;
  std::vector<ModelTensor> parts;  // their names, shapes and turns; nothing is stored yet
  StoredType type = StoredType::kF32;
  std::string fallback;  // why the type is not the one asked for; empty: it is
};

// What is written: the source's model, or the one that its factors multiply out to.
struct WrittenModel {
  ModelConfig config;
  std::vector<LinearPlan> slots;
};
// Factors that are multiplied out leave dense slots; where one of them brings a bias, all slots
// have one, as formats know no other way.
WrittenModel written_model(const ModelConfig& source, const std::vector<LinearPlan>& plans,
                           Factors factors);

// The names that a format has for models of this shape; kUsage, saying why, where it has none.
Result<NameScheme> export_scheme(const ModelConfig& model, ModelFormat format);

// Every tensor in the order of the file, its stored type decided: the one asked for, but of a
// matrix that the source has in a type of ours (is_ours()) its own, where the format can hold
// it and factors are kept.
std::vector<ExportTensor> export_tensors(const ModelFile& source, const WrittenModel& model,
                                         NameScheme scheme, const ExportRequest& request);
// The source's tensor whose bytes the file gets as they are; nullptr where they are made anew.
const ModelTensor* kept_as_stored(const ModelFile& source, const ExportTensor& tensor);

// Whether a weight of the source is two factors.
bool is_factored(const ModelFile& source, const std::string& name);
// W [out, in] in f32: as the source has it, or the product B A of a factored slot; zeros for a bias
// that it lacks.
std::vector<float> dense_values(const ModelFile& source, const ModelTensor& wanted);
// The bytes that the file gets.
std::vector<std::byte> encoded_tensor(const ModelFile& source, const ExportTensor& tensor);
// `values` as a reader of that file gets them.
void round_to_type(StoredType type, std::vector<float>& values);

}  // namespace lathe
