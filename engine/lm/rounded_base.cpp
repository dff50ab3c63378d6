// See rounded_base.h.
#include "engine/lm/rounded_base.h"

#include <map>
#include <set>
#include <string>

#include "engine/nn/weight_store.h"
#include "engine/quant/stored_matrix.h"

namespace lathe {
namespace {

StoredValues rounded(const ModelFile& file, const ModelTensor& tensor, StoredType type) {
  const std::int64_t rows = tensor.shape[0];
  const std::int64_t cols = tensor.shape[1];
  const std::vector<float> values = file.floats(tensor.name);
  StoredValues stored{.type = type, .bytes = {}};
  stored.bytes.resize(static_cast<std::size_t>(matrix_bytes(type, rows, cols)));
  encode_matrix(type, values.data(), rows, cols, stored.bytes.data());
  let_go_of_file(tensor);
  return stored;
}

}  // namespace

ModelFile rounded_base(const ModelFile& file, StoredType type) {
  std::set<std::string> matrices;
  for (const LinearPlan& plan : file.plans()) {
    for (std::string& name : matrices_of(plan)) {
      matrices.insert(std::move(name));
    }
  }
  std::map<std::string, StoredValues> weights;
  for (const ModelTensor& tensor : file.tensors()) {
    const bool table = tensor.name == "embedding.weight" || tensor.name == "head.weight";
    const StoredType wanted = table ? kTableType : type;
    // What is of the type already stays where it lies, unless it lies transposed.
    const bool as_wanted = tensor.stored.type == wanted && has_stored_rows(tensor);
    if ((table || matrices.count(tensor.name) > 0) && !as_wanted) {
      weights.emplace(tensor.name, rounded(file, tensor, wanted));
    }
  }
  return ModelFile::with_stored(file, std::move(weights));
}

}  // namespace lathe
