// A norm of the model's kind, RMSNorm or layer norm, with its gain and, where the model has biases,
// its bias.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/nn/model_config.h"
#include "engine/nn/parameter.h"

namespace lathe {

// What backward needs of each row: [N], mean of layer norm alone.
struct NormSaved {
  Tensor mean, rstd;
  void reset();
};

class Norm {
 public:
  // Takes the memory; values come from initialise().
  Norm(Backend& backend, const ModelConfig& model, const std::string& layer);

  void initialise();

  // Memory for `rows` rows, told to the ledger as `layer`'s.
  NormSaved make_saved(const std::string& layer, Category category, std::int64_t rows);

  // x [N, D] -> y [N, D]; `saved` may be null.
  void forward(TensorRef x, TensorRef y, const NormSaved* saved);

  // dx = the gradient of x (+ dx_add where defined, which may alias dx); adds to the parameters'.
  void backward(TensorRef dy, TensorRef x, const NormSaved& saved, TensorRef dx, TensorRef dx_add);

  void append_parameters(std::vector<Parameter*>& out);

 private:
  Backend* backend_;
  NormKind kind_;
  float eps_;
  Parameter gain_;
  std::unique_ptr<Parameter> bias_;  // null where there is none
};

}  // namespace lathe
