// A folder of images, whichever way it is laid out.
#pragma once

#include <cstdint>
#include <string>

#include "engine/base/result.h"
#include "engine/data/image_formats.h"

namespace lathe {

struct ReadImages {
  RawImages train, test;  // of one size; test is empty where the set has no part of that name
  std::int64_t classes = 0;
  std::int64_t files = 0;
};

// IDX files (NAME-images-idx3-ubyte beside NAME-labels-idx1-ubyte, perhaps .gz; t10k and test are
// the test part), CIFAR's binary files (test* is the test part), or a folder of pictures for each
// class, perhaps within train and test (or val); classes are numbered by their folders' names.
// "fashion-mnist" is what Debian's dataset-fashion-mnist installs. kData, naming file and what is
// legal, for what is none of these, does not fit together, or is damaged.
Result<ReadImages> read_image_folder(const std::string& path);

}  // namespace lathe
