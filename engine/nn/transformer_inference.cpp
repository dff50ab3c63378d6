// Logits of a transformer: of the next positions of one text, and of images.
#include <numeric>

#include "engine/nn/transformer.h"
#include "engine/nn/weight_product.h"

namespace lathe {

Tensor Transformer::inference_positions(std::int64_t first, std::int64_t count) {
  if (positions_ == nullptr) {
    return {};
  }
  CHECK(first + count <= model_.context, "a sequence is no longer than the table of positions");
  std::vector<std::int32_t> rows(static_cast<std::size_t>(count));
  std::iota(rows.begin(), rows.end(), static_cast<std::int32_t>(first));
  Tensor places = workspace(*backend_, "positions", "ids", Shape{count}, DType::kI32);
  backend_->write(places, rows.data(), places.ref().bytes());
  return places;
}

void Transformer::infer(TensorRef ids, KvCache& cache, TensorRef logits) {
  const std::int64_t count = ids.elements();
  const std::int64_t rows = logits.rows();
  CHECK(rows <= count, "logits are of new positions");
  const Tensor places = inference_positions(cache.length(), count);
  Tensor x = embed(ids, places);
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    x = blocks_[i]->infer(std::move(x), cache, static_cast<std::int64_t>(i));
  }
  cache.advance(count);
  backend_->ledger().set_phase("logits");
  Tensor normed = workspace(*backend_, "head", "normed", Shape{rows, model_.dim});
  final_norm_.forward(x.ref().row_range(count - rows, rows), normed, nullptr);
  multiply_forward(*backend_, "head", normed, head_weight(), logits);
}

void Transformer::classify(TensorRef patches, const BatchShape& shape, TensorRef logits) {
  CHECK(patches_ != nullptr, "images are classified by a model of images");
  const Tensor normed = head_input(patches, shape);
  multiply_forward(*backend_, "head", normed, head_weight(), logits, head_bias_->weight);
}

}  // namespace lathe
