// What identifies a data file in a record.
#pragma once

#include <string>

#include "engine/base/result.h"

namespace lathe::experiments {

// SHA-256 of all its bytes. Errors of MappedFile::open.
Result<std::string> file_hash(const std::string& path);

}  // namespace lathe::experiments
