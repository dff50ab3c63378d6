// See data_checks.h.
#include "engine/train/data_checks.h"

#include "engine/data/image_set.h"

namespace lathe {
namespace {

std::string kind_text(const TrainSpec& spec) {
  return "data.kind=" + std::string(enum_name(spec.data.kind));
}

Result<void> check_vocabulary(const TrainSpec& spec, const CorpusInfo& info) {
  if (spec.model.vocab_size >= info.vocab_size) {
    return {};
  }
  return Error{ErrorKind::kUsage,
               "model.vocab_size=" + std::to_string(spec.model.vocab_size) +
                   " is smaller than the tokenizer's " + std::to_string(info.vocab_size),
               "leave model.vocab_size at 0, or make it at least as large"};
}

Result<void> check_image_set(const TrainSpec& spec, const ImageSet& set) {
  const ImageConfig& image = spec.model.image;
  if (set.size != image.size || set.channels != image.channels) {
    return Error{ErrorKind::kUsage,
                 "data.path=" + spec.data.path + " holds images of " + std::to_string(set.size) +
                     " x " + std::to_string(set.size) + " pixels in " +
                     std::to_string(set.channels) + " channels, and the model reads " +
                     std::to_string(image.size) + " x " + std::to_string(image.size) + " in " +
                     std::to_string(image.channels),
                 spec.model.from.empty()
                     ? "set model.image.size=" + std::to_string(set.size) +
                           " and model.image.channels=" + std::to_string(set.channels)
                     : "begin with a model of such images, or give the set the size and channels "
                       "of " +
                           spec.model.from};
  }
  if (set.classes > image.classes) {
    return Error{ErrorKind::kUsage,
                 "data.path=" + spec.data.path + " has " + std::to_string(set.classes) +
                     " classes, and model.image.classes=" + std::to_string(image.classes),
                 "set model.image.classes=" + std::to_string(set.classes)};
  }
  return {};
}

}  // namespace

void settle_images(TrainSpec& spec) {
  const ImageConfig& image = spec.model.image;
  if (!spec.model.images() || image.size % image.patch_size != 0) {
    return;  // what is wrong with the image is told by config_errors()
  }
  spec.model.image.classes = image.class_count();
  if (spec.model.vocab_size == 0) {
    spec.model.vocab_size = image.classes;
  }
  spec.train.seq_len = image.tokens();
}

void check_images(const TrainSpec& spec, std::vector<std::string>& errors) {
  const bool pictures = spec.data.kind == DataKind::kImages;
  const std::string size = "model.image.size=" + std::to_string(spec.model.image.size);
  if (pictures && !spec.model.images()) {
    errors.push_back(
        "data.kind=images holds pictures, and " + size +
        " makes a model of text: set it to the pictures' height, 28 for fashion-mnist");
  }
  if (!spec.model.images()) {
    return;
  }
  if (!pictures) {
    errors.push_back(size + " makes a model of images, and " + kind_text(spec) +
                     " is text: set data.kind=images, or model.image.size=0");
  }
  if (spec.model.vocab_size != spec.model.image.classes) {
    errors.push_back("model.vocab_size=" + std::to_string(spec.model.vocab_size) +
                     " is a tokenizer's, and " + size +
                     " makes a model of images: leave it at 0, and set model.image.classes");
  }
  if (!spec.distill.from.empty()) {
    errors.push_back("distill.from=" + spec.distill.from + " is a model of text, and " + size +
                     " makes one of images: leave distill.from empty");
  }
}

Result<void> check_data(const TrainSpec& spec, const TokenSource& data) {
  const bool images = data.images() != nullptr;
  const bool samples = !data.samples(Split::kTrain).begins.empty();
  const bool wants_images = spec.data.kind == DataKind::kImages;
  const bool wants_samples = !wants_images && spec.data.kind != DataKind::kText;
  if (images != wants_images || samples != wants_samples) {
    const std::string what = images ? "images" : samples ? "samples" : "running text";
    return Error{ErrorKind::kUsage, "the corpus holds " + what + ", and " + kind_text(spec),
                 "set data.kind to what the corpus holds"};
  }
  if (!images) {
    return check_vocabulary(spec, data.info());
  }
  // That a model of text is none of images, check_images() tells.
  return spec.model.images() ? check_image_set(spec, *data.images()) : Result<void>();
}

}  // namespace lathe
