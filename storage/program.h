// The version of the program, as the build system knows it.
#pragma once

#include <string_view>

namespace lathe::storage {

inline constexpr const char* kProgramVersion = LATHE_VERSION;

}  // namespace lathe::storage
