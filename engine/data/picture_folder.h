// Image sets of single pictures: a folder for each class.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/data/image_formats.h"

namespace lathe {

// The names in a folder, hidden ones left out, in sorted order: of its folders or of its files.
Result<std::vector<std::string>> sorted_entries(const std::string& folder, bool folders);

// The pictures in the folders of `path`, or of its folders train and test (or val, or validation).
// A set with any colour has three channels throughout. Counts files. Nothing is read where there
// are no folders. kData for a class without pictures, one that the training part lacks, and
// pictures of different size.
Result<void> read_pictures(const std::string& path, RawImages& train, RawImages& test,
                           std::int64_t& files);

}  // namespace lathe
