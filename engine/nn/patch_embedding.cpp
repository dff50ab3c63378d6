// Rows are put together and taken apart by the ops of embeddings: a gather, and a sum in a fixed
// order as its gradient.
#include "engine/nn/patch_embedding.h"

#include <numeric>

#include "engine/nn/weight_product.h"

namespace lathe {
namespace {

constexpr const char* kLayer = "patches";
// Streams of the generator beside those of transformer.cpp.
constexpr std::uint64_t kWeightStream = 4;
constexpr std::uint64_t kClassTokenStream = 5;

}  // namespace

PatchEmbedding::PatchEmbedding(Backend& backend, const ModelConfig& model)
    : backend_(&backend),
      image_(model.image),
      dim_(model.dim),
      init_std_(static_cast<float>(model.init_std)),
      weight_(make_parameter(backend, kLayer, "weight",
                             Shape{model.dim, model.image.patch_values()}, true)),
      bias_(make_parameter(backend, kLayer, "bias", Shape{model.dim}, false)) {
  if (image_.pool == ImagePool::kClassToken) {
    class_token_ = std::make_unique<Parameter>(
        make_parameter(backend, "class_token", "weight", Shape{1, dim_}, false));
  }
}

void PatchEmbedding::initialise(std::uint64_t seed) {
  draw_values(*backend_, weight_,
              {.out = {}, .seed = seed, .stream = kWeightStream, .stddev = init_std_});
  ops::fill(*backend_, {.out = bias_.weight, .value = 0.0f});
  if (class_token_ != nullptr) {
    draw_values(*backend_, *class_token_,
                {.out = {}, .seed = seed, .stream = kClassTokenStream, .stddev = init_std_});
  }
}

Tensor PatchEmbedding::indices(const char* name, const std::vector<std::int32_t>& rows) {
  Tensor tensor = workspace(*backend_, kLayer, name, Shape{static_cast<std::int64_t>(rows.size())},
                            DType::kI32);
  backend_->write(tensor, rows.data(), tensor.ref().bytes());
  return tensor;
}

Tensor PatchEmbedding::sources(std::int64_t images) {
  std::vector<std::int32_t> rows;
  const std::int64_t patches = image_.patches();
  for (std::int64_t image = 0; image < images; ++image) {
    rows.push_back(static_cast<std::int32_t>(images * patches));
    for (std::int64_t patch = 0; patch < patches; ++patch) {
      rows.push_back(static_cast<std::int32_t>(image * patches + patch));
    }
  }
  return indices("sources", rows);
}

Tensor PatchEmbedding::class_rows(std::int64_t images) {
  std::vector<std::int32_t> rows(static_cast<std::size_t>(images));
  for (std::size_t image = 0; image < rows.size(); ++image) {
    rows[image] = static_cast<std::int32_t>(static_cast<std::int64_t>(image) * image_.tokens());
  }
  return indices("class_rows", rows);
}

Tensor PatchEmbedding::images_of_rows(std::int64_t images) {
  std::vector<std::int32_t> rows(static_cast<std::size_t>(images * image_.tokens()));
  for (std::size_t row = 0; row < rows.size(); ++row) {
    rows[row] = static_cast<std::int32_t>(static_cast<std::int64_t>(row) / image_.tokens());
  }
  return indices("images", rows);
}

Tensor PatchEmbedding::forward(TensorRef patches) {
  const std::int64_t rows = patches.rows();
  const std::int64_t images = rows / image_.patches();
  if (class_token_ == nullptr) {
    Tensor x = activation(*backend_, kLayer, "out", Shape{rows, dim_});
    multiply_forward(*backend_, kLayer, patches, weight_.weight, x, bias_.weight);
    return x;
  }
  const Tensor table = workspace(*backend_, kLayer, "table", Shape{rows + 1, dim_});
  multiply_forward(*backend_, kLayer, patches, weight_.weight, table.ref().row_range(0, rows),
                   bias_.weight);
  ops::copy(*backend_, {.from = class_token_->weight, .to = table.ref().row_range(rows, 1)});
  Tensor x = activation(*backend_, kLayer, "out", Shape{images * image_.tokens(), dim_});
  ops::embedding_forward(*backend_, {.table = table, .ids = sources(images), .out = x});
  return x;
}

void PatchEmbedding::backward(TensorRef patches, TensorRef dx) {
  const bool trains_token = class_token_ != nullptr && !class_token_->frozen;
  if (weight_.frozen && bias_.frozen && !trains_token) {
    return;
  }
  const std::int64_t rows = patches.rows();
  if (class_token_ == nullptr) {
    add_weight_gradient(patches, dx);
    return;
  }
  const Tensor dtable = workspace(*backend_, kLayer, "dtable", Shape{rows + 1, dim_});
  ops::fill(*backend_, {.out = dtable, .value = 0.0f});
  ops::embedding_backward(*backend_,
                          {.dout = dx, .ids = sources(rows / image_.patches()), .dtable = dtable});
  if (trains_token) {
    const TensorRef gradient = accumulating_gradient(*backend_, *class_token_);
    ops::add(*backend_, {.a = gradient, .b = dtable.ref().row_range(rows, 1), .out = gradient});
  }
  add_weight_gradient(patches, dtable.ref().row_range(0, rows));
}

// The patches themselves need none.
void PatchEmbedding::add_weight_gradient(TensorRef patches, TensorRef dy) {
  if (!weight_.frozen) {
    const GradientSlot dw = gradient_slot(*backend_, weight_);
    ops::matmul(*backend_,
                {.a = dy, .b = patches, .c = dw.gradient, .transpose_a = true, .beta = dw.beta});
  }
  if (!bias_.frozen) {
    ops::bias_backward(*backend_, {.dy = dy, .dbias = accumulating_gradient(*backend_, bias_)});
  }
}

Tensor PatchEmbedding::pool(TensorRef x) {
  const std::int64_t images = x.rows() / image_.tokens();
  Tensor pooled = workspace(*backend_, "head", "pooled", Shape{images, dim_});
  if (class_token_ != nullptr) {
    ops::embedding_forward(*backend_, {.table = x, .ids = class_rows(images), .out = pooled});
    return pooled;
  }
  ops::fill(*backend_, {.out = pooled, .value = 0.0f});
  ops::embedding_backward(*backend_, {.dout = x, .ids = images_of_rows(images), .dtable = pooled});
  ops::scale(*backend_, {.x = pooled, .factor = 1.0f / static_cast<float>(image_.tokens())});
  return pooled;
}

Tensor PatchEmbedding::pool_backward(TensorRef dpooled) {
  const std::int64_t images = dpooled.rows();
  Tensor dx = workspace(*backend_, "head", "dx", Shape{images * image_.tokens(), dim_});
  if (class_token_ != nullptr) {
    ops::fill(*backend_, {.out = dx, .value = 0.0f});
    ops::embedding_backward(*backend_, {.dout = dpooled, .ids = class_rows(images), .dtable = dx});
    return dx;
  }
  ops::embedding_forward(*backend_, {.table = dpooled, .ids = images_of_rows(images), .out = dx});
  ops::scale(*backend_, {.x = dx, .factor = 1.0f / static_cast<float>(image_.tokens())});
  return dx;
}

void PatchEmbedding::append_parameters(std::vector<Parameter*>& out) {
  out.insert(out.end(), {&weight_, &bias_});
  if (class_token_ != nullptr) {
    out.push_back(class_token_.get());
  }
}

}  // namespace lathe
