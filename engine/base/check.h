// CHECK guards against our own bugs; it is never reachable from a config, a file or a key press.
// Expected failures are values (result.h). This is one of the project's three macros.
#pragma once

#include <string_view>

namespace lathe {

// Prints the broken condition with its place and aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* condition,
                               std::string_view message);

}  // namespace lathe

#define CHECK(condition, message)                                       \
  do {                                                                  \
    if (!(condition)) {                                                 \
      ::lathe::check_failed(__FILE__, __LINE__, #condition, (message)); \
    }                                                                   \
  } while (false)
