// The two ends of a model of images: patches become the rows that the blocks read, and what the
// blocks make of an image becomes the one row that is classified (Dosovitskiy et al. 2021, eq. 1
// and 4).
#pragma once

#include <memory>
#include <vector>

#include "engine/nn/model_config.h"
#include "engine/nn/parameter.h"

namespace lathe {

class PatchEmbedding {
 public:
  // Takes the memory. Precondition: model.images().
  PatchEmbedding(Backend& backend, const ModelConfig& model);

  // Weight and class token from (seed, streams of their own), the bias zero.
  void initialise(std::uint64_t seed);

  // patches f32 [B * P, channels * patch * patch], each channel's rows one after the other -> x
  // [B * T, D]: W patch + b, after the class token where there is one (T is P + 1 then).
  Tensor forward(TensorRef patches);
  // dx, the gradient of forward's x, adds to the parameters'.
  void backward(TensorRef patches, TensorRef dx);

  // x [B * T, D], the blocks' output -> [B, D]: the rows of the class tokens, or the means.
  Tensor pool(TensorRef x);
  // The gradient of pool's x from that of its result.
  Tensor pool_backward(TensorRef dpooled);

  void append_parameters(std::vector<Parameter*>& out);

 private:
  Tensor indices(const char* name, const std::vector<std::int32_t>& rows);
  // Of each row of x: its place among the patches' rows, behind which stands the class token.
  Tensor sources(std::int64_t images);
  // Of each pooled row: where it stands in x.
  Tensor class_rows(std::int64_t images);
  // Of each row of x: its image.
  Tensor images_of_rows(std::int64_t images);
  void add_weight_gradient(TensorRef patches, TensorRef dy);

  Backend* backend_;
  ImageConfig image_;
  std::int64_t dim_;
  float init_std_;
  Parameter weight_, bias_;
  std::unique_ptr<Parameter> class_token_;  // null where the mean is pooled
};

}  // namespace lathe
