// Files that may be packed by gzip, as data sets often are.
#pragma once

#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace lathe {

// What gzip packed. kData, naming `path`, for what is not whole, has something behind its end, or
// unpacks to more than 1 GiB.
Result<std::string> gunzip(std::string_view packed, const std::string& path);

// A whole file, unpacked if its name ends in .gz. kData as read_bytes() (row_file.h) and gunzip().
Result<std::string> read_unpacked(const std::string& path);

}  // namespace lathe
