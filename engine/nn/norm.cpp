// Both kinds of norm.
#include "engine/nn/norm.h"

namespace lathe {

void NormSaved::reset() {
  mean.reset();
  rstd.reset();
}

Norm::Norm(Backend& backend, const ModelConfig& model, const std::string& layer)
    : backend_(&backend),
      kind_(model.norm),
      eps_(static_cast<float>(model.norm_eps)),
      gain_(make_parameter(backend, layer, "gain", Shape{model.dim}, false)) {
  if (kind_ == NormKind::kLayer && model.bias) {
    bias_ = std::make_unique<Parameter>(
        make_parameter(backend, layer, "bias", Shape{model.dim}, false));
  }
}

void Norm::initialise() {
  ops::fill(*backend_, {.out = gain_.weight, .value = 1.0f});
  if (bias_ != nullptr) {
    ops::fill(*backend_, {.out = bias_->weight, .value = 0.0f});
  }
}

NormSaved Norm::make_saved(const std::string& layer, Category category, std::int64_t rows) {
  NormSaved saved;
  const auto row_values = [&](const char* name) {
    return Tensor(backend_->allocator(), DType::kF32, Shape{rows}, Tag{category, layer, name});
  };
  saved.rstd = row_values("rstd");
  if (kind_ == NormKind::kLayer) {
    saved.mean = row_values("mean");
  }
  return saved;
}

void Norm::forward(TensorRef x, TensorRef y, const NormSaved* saved) {
  const TensorRef rstd = saved != nullptr ? saved->rstd.ref() : TensorRef{};
  if (kind_ == NormKind::kRms) {
    ops::rmsnorm_forward(*backend_,
                         {.x = x, .gain = gain_.weight, .y = y, .rstd = rstd, .eps = eps_});
    return;
  }
  ops::layernorm_forward(*backend_, {.x = x,
                                     .gain = gain_.weight,
                                     .bias = bias_ != nullptr ? bias_->weight.ref() : TensorRef{},
                                     .y = y,
                                     .mean = saved != nullptr ? saved->mean.ref() : TensorRef{},
                                     .rstd = rstd,
                                     .eps = eps_});
}

void Norm::backward(TensorRef dy, TensorRef x, const NormSaved& saved, TensorRef dx,
                    TensorRef dx_add) {
  Tensor unwanted_gain, unwanted_bias;
  const TensorRef dgain = accumulating_gradient(*backend_, gain_, unwanted_gain);
  if (kind_ == NormKind::kRms) {
    ops::rmsnorm_backward(*backend_, {.dy = dy,
                                      .x = x,
                                      .gain = gain_.weight,
                                      .rstd = saved.rstd,
                                      .dx = dx,
                                      .dgain = dgain,
                                      .dx_add = dx_add});
    return;
  }
  ops::layernorm_backward(
      *backend_,
      {.dy = dy,
       .x = x,
       .gain = gain_.weight,
       .mean = saved.mean,
       .rstd = saved.rstd,
       .dx = dx,
       .dgain = dgain,
       .dbias =
           bias_ != nullptr ? accumulating_gradient(*backend_, *bias_, unwanted_bias) : TensorRef{},
       .dx_add = dx_add});
}

void Norm::append_parameters(std::vector<Parameter*>& out) {
  out.push_back(&gain_);
  if (bias_ != nullptr) {
    out.push_back(bias_.get());
  }
}

}  // namespace lathe
