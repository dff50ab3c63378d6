// Chooses the parts of a set and what its pixels are measured by.
#include "engine/data/image_set.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "engine/base/hash.h"
#include "engine/base/rng.h"
#include "engine/data/image_reader.h"

namespace lathe {
namespace {

// Keeps this shuffle apart from other draws under the same seed.
constexpr std::uint64_t kSplitStream = 0x1A6E'0000'0000'0001;

class ImageSource final : public TokenSource {
 public:
  ImageSource(ImageSet set, CorpusInfo info) : set_(std::move(set)), info_(std::move(info)) {}
  const CorpusInfo& info() const override { return info_; }
  std::span<const std::int32_t> tokens(Split) const override { return {}; }
  std::string decode(std::span<const std::int32_t>) const override { return ""; }
  const ImageSet* images() const override { return &set_; }

 private:
  ImageSet set_;
  CorpusInfo info_;
};

std::vector<std::size_t> shuffled(std::int64_t count, std::int64_t seed, std::uint64_t stream) {
  std::vector<std::size_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), std::size_t{0});
  Rng rng(static_cast<std::uint64_t>(seed), stream);
  for (std::size_t left = order.size(); left > 1; --left) {
    std::swap(order[left - 1], order[rng.next_below(left)]);
  }
  return order;
}

ImagePart chosen(const RawImages& from, std::vector<std::size_t> images) {
  std::sort(images.begin(), images.end());
  ImagePart part;
  const auto bytes = static_cast<std::ptrdiff_t>(from.image_bytes());
  for (const std::size_t image : images) {
    const auto first = from.pixels.begin() + static_cast<std::ptrdiff_t>(image) * bytes;
    part.pixels.insert(part.pixels.end(), first, first + bytes);
    part.labels.push_back(from.labels[image]);
  }
  return part;
}

// `count` of `candidates`, the first of each class, then the second of each, and so on.
std::vector<std::size_t> balanced(const std::vector<std::int32_t>& labels,
                                  const std::vector<std::size_t>& candidates, std::int64_t classes,
                                  std::int64_t count) {
  std::vector<std::vector<std::size_t>> of_class(static_cast<std::size_t>(classes));
  for (const std::size_t image : candidates) {
    of_class[static_cast<std::size_t>(labels[image])].push_back(image);
  }
  std::vector<std::size_t> taken;
  for (std::size_t round = 0; static_cast<std::int64_t>(taken.size()) < count; ++round) {
    for (const std::vector<std::size_t>& images : of_class) {
      if (round < images.size() && static_cast<std::int64_t>(taken.size()) < count) {
        taken.push_back(images[round]);
      }
    }
  }
  return taken;
}

// Of each channel, over all images of a part.
void measure_pixels(ImageSet& set) {
  const std::int64_t plane = set.size * set.size;
  const std::int64_t planes = set.train.count() * set.channels;
  const double count = static_cast<double>(set.train.count() * plane);
  for (std::int64_t channel = 0; channel < set.channels; ++channel) {
    std::int64_t sum = 0, squares = 0;  // exact, so in any order the same
    for (std::int64_t n = channel; n < planes; n += set.channels) {
      const std::uint8_t* pixels = set.train.pixels.data() + n * plane;
      for (std::int64_t i = 0; i < plane; ++i) {
        sum += pixels[i];
        squares += std::int64_t{pixels[i]} * pixels[i];
      }
    }
    const double mean = static_cast<double>(sum) / count;
    const double variance = static_cast<double>(squares) / count - mean * mean;
    set.mean.push_back(mean / 255.0);
    // Of a channel that is the same everywhere nothing is left to divide.
    set.deviation.push_back(variance > 0.0 ? std::sqrt(variance) / 255.0 : 1.0);
  }
}

std::string digest_of(const ImageSet& set) {
  Sha256 digest;
  for (const std::int64_t number : {set.size, set.channels, set.classes}) {
    digest.update(&number, sizeof number);
  }
  digest.update(set.mean.data(), set.mean.size() * sizeof(double));
  digest.update(set.deviation.data(), set.deviation.size() * sizeof(double));
  for (const ImagePart* part : {&set.train, &set.heldout}) {
    const std::int64_t count = part->count();
    digest.update(&count, sizeof count);
    digest.update(part->pixels.data(), part->pixels.size());
    digest.update(part->labels.data(), part->labels.size() * sizeof part->labels[0]);
  }
  return digest.hex();
}

Result<void> check_config(const DataConfig& config) {
  if (config.pixel_std == 0.0 && config.pixel_mean != 0.0) {
    return Error{ErrorKind::kUsage,
                 "data.pixel_mean=" + std::to_string(config.pixel_mean) +
                     " is not used while data.pixel_std=0 has both measured",
                 "set data.pixel_std too, or leave both at 0"};
  }
  return {};
}

Result<void> check_images(const DataConfig& config, const ReadImages& read) {
  if (read.train.height != read.train.width) {
    return Error{ErrorKind::kData,
                 "data.path=" + config.path + " holds images of " +
                     std::to_string(read.train.height) + " x " + std::to_string(read.train.width) +
                     " pixels, and a model reads square ones",
                 "crop them, or scale them to a square"};
  }
  if (read.test.count() == 0 && read.train.count() < 2) {
    return Error{ErrorKind::kData,
                 "data.path=" + config.path + " holds one image, and both parts need one",
                 "give more images"};
  }
  return {};
}

}  // namespace

std::shared_ptr<const TokenSource> make_image_source(ImageSet set, std::int64_t files) {
  CorpusInfo info;
  info.digest = digest_of(set);
  info.vocab_size = set.classes;
  info.files = files;
  info.train_samples = set.train.count();
  info.heldout_samples = set.heldout.count();
  info.pixel_mean = set.mean;
  info.pixel_std = set.deviation;
  return std::make_shared<ImageSource>(std::move(set), std::move(info));
}

Result<std::shared_ptr<const TokenSource>> open_images(const DataConfig& config,
                                                       const CorpusProgress& progress) {
  if (const auto legal = check_config(config); !legal) {
    return legal.error();
  }
  if (progress) {
    progress(0.0, "reading images");
  }
  const auto read = read_image_folder(config.path);
  if (!read) {
    return read.error();
  }
  if (const auto legal = check_images(config, *read); !legal) {
    return legal.error();
  }
  const RawImages& all = read->train;
  ImageSet set{.size = all.height, .channels = all.channels, .classes = read->classes};
  std::vector<std::size_t> candidates = shuffled(all.count(), config.split_seed, kSplitStream);
  if (read->test.count() > 0) {
    std::vector<std::size_t> whole(static_cast<std::size_t>(read->test.count()));
    std::iota(whole.begin(), whole.end(), std::size_t{0});
    set.heldout = chosen(read->test, std::move(whole));
  } else {
    const auto share = std::llround(config.heldout * static_cast<double>(all.count()));
    const auto held =
        static_cast<std::ptrdiff_t>(std::clamp<std::int64_t>(share, 1, all.count() - 1));
    set.heldout = chosen(all, {candidates.begin(), candidates.begin() + held});
    candidates.erase(candidates.begin(), candidates.begin() + held);
  }
  const auto there = static_cast<std::int64_t>(candidates.size());
  if (config.examples > there) {
    return Error{ErrorKind::kUsage,
                 "data.examples=" + std::to_string(config.examples) + " is more than the " +
                     std::to_string(there) + " training images of " + config.path,
                 "choose at most as many, or 0 for all"};
  }
  if (config.examples > 0) {
    candidates = balanced(all.labels, candidates, set.classes, config.examples);
  }
  set.train = chosen(all, std::move(candidates));
  if (config.pixel_std > 0.0) {
    set.mean.assign(static_cast<std::size_t>(set.channels), config.pixel_mean);
    set.deviation.assign(static_cast<std::size_t>(set.channels), config.pixel_std);
  } else {
    measure_pixels(set);
  }
  if (progress) {
    progress(1.0, "images ready");
  }
  return make_image_source(std::move(set), read->files);
}

}  // namespace lathe
