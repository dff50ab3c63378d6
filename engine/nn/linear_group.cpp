// Several slots that read the same few rows, as one op (a decoded token's q, k and v).
#include <algorithm>
#include <array>

#include "engine/nn/linear.h"

namespace lathe {

bool Linear::groups(TensorRef x) const {
  const bool stored =
      std::all_of(weights_.begin(), weights_.end(), [this](const Parameter& weight) {
        const DType dtype = weight.weight.dtype();
        return is_packed(dtype) && !(plan_.int8_threshold && dtype == DType::kInt8Row);
      });
  return stored && palettes_.empty() && x.rows() <= kPackedFewRows &&
         plan_.between == Activation::kNone;
}

void Linear::forward_together(TensorRef x, std::initializer_list<Use> uses) {
  if (!std::all_of(uses.begin(), uses.end(),
                   [&](const Use& use) { return use.layer->groups(x); })) {
    for (const Use& use : uses) {
      use.layer->forward(x, use.y, nullptr);
    }
    return;
  }
  Backend& backend = *uses.begin()->layer->backend_;
  PackedGroupArgs args{.x = x};
  std::array<Tensor, 3> hidden;
  for (const Use& use : uses) {
    const Linear& layer = *use.layer;
    const auto at = static_cast<std::size_t>(args.count++);
    PackedProduct& product = args.products[at];
    product.first = layer.weights_[0].weight;
    product.y = use.y;
    if (layer.plan_.storage == LinearStorage::kLowRank) {
      hidden[at] =
          workspace(backend, layer.plan_.name, "hidden", Shape{x.rows(), layer.plan_.rank});
      product.hidden = hidden[at];
      product.second = layer.weights_[1].weight;
    }
  }
  ops::packed_group(backend, args);
  for (const Use& use : uses) {
    if (use.layer->bias_ != nullptr) {
      ops::bias_add(backend, {.x = use.y, .bias = use.layer->bias_->weight});
    }
    use.layer->adapt(x, use.y, nullptr);
  }
}

}  // namespace lathe
