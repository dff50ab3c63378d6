// What a model's shape must obey.
#include "engine/nn/model_config.h"

namespace lathe {
namespace {

std::string text(std::int64_t value) {
  return std::to_string(value);
}

void check_heads(const ModelConfig& model, std::vector<std::string>& errors) {
  if (model.head_width == 0 && model.dim % model.heads != 0) {
    errors.push_back("model.heads=" + text(model.heads) + " does not divide model.dim=" +
                     text(model.dim) + ": choose a divisor of the width, or set model.head_width");
  } else if (model.positions == PositionKind::kRope && model.head_dim() % 2 != 0) {
    errors.push_back("model.dim=" + text(model.dim) + " with model.heads=" + text(model.heads) +
                     " gives heads of odd width " + text(model.head_dim()) +
                     ": rotary positions turn pairs, so choose heads of even width");
  }
  if (model.heads % model.kv_head_count() != 0) {
    errors.push_back("model.kv_heads=" + text(model.kv_heads) + " does not divide model.heads=" +
                     text(model.heads) + ": choose a divisor of heads, or 0 for as many as heads");
  }
}

void check_positions(const ModelConfig& model, std::vector<std::string>& errors) {
  if (model.positions == PositionKind::kLearned && model.position_rows() == 0) {
    errors.push_back(
        "model.positions=learned with model.context=0 has no table to learn: set model.context to "
        "the longest text, at least train.seq_len");
  }
  if (model.rope_scaling == RopeScalingKind::kLlama3 && !(model.rope_low < model.rope_high)) {
    errors.push_back("model.rope_low=" + std::to_string(model.rope_low) +
                     " is not below model.rope_high=" + std::to_string(model.rope_high) +
                     ": llama3 interpolates between the two; its own are 1 and 4");
  }
}

void check_image(const ModelConfig& model, std::vector<std::string>& errors) {
  const ImageConfig& image = model.image;
  if (model.images() && image.size % image.patch_size != 0) {
    errors.push_back("model.image.patch_size=" + text(image.patch_size) +
                     " does not divide model.image.size=" + text(image.size) +
                     ": choose a divisor of the image's size");
  }
  if (model.images() && image.class_count() < 2) {
    errors.push_back("model.image.classes=" + text(image.classes) +
                     " leaves nothing to choose: set two at least, or 0");
  }
  if (model.images() && model.window > 0) {
    errors.push_back("model.window=" + text(model.window) +
                     " limits what text sees, and patches of an image all see each other: set "
                     "model.window=0");
  }
}

}  // namespace

std::int64_t ModelConfig::ff_width() const {
  return ff_dim != 0 ? ff_dim : gated() ? (dim * 8 / 3 + 31) / 32 * 32 : 4 * dim;
}

RopeScaling ModelConfig::scaling() const {
  return {.kind = rope_scaling,
          .factor = rope_factor,
          .low = rope_low,
          .high = rope_high,
          .original_context = static_cast<double>(rope_original_context)};
}

std::vector<std::string> config_errors(const ModelConfig& model) {
  std::vector<std::string> errors;
  check_heads(model, errors);
  check_image(model, errors);
  if (errors.empty()) {
    check_positions(model, errors);
  }
  return errors;
}

}  // namespace lathe
