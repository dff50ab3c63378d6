// Range checks of foreign configs.
#include "engine/io/config_reader.h"

namespace lathe {

Result<ModelConfig> checked_model_config(const Json& fields, const std::string& origin) {
  ModelConfig model;
  std::vector<std::string> errors;
  read_json(fields, model, "model", errors);
  if (errors.empty()) {
    errors = config_errors(model);
  }
  if (errors.empty() && model.vocab_size == 0) {
    errors.push_back("the size of the vocabulary is missing");
  }
  if (errors.empty()) {
    return model;
  }
  return Error{ErrorKind::kData, origin + ": " + errors.front(),
               "the model is of a shape that cannot be computed; use another one"};
}

}  // namespace lathe
