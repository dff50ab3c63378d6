// The one place where the program ends itself: a broken invariant.
#include "engine/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace lathe {

void check_failed(const char* file, int line, const char* condition, std::string_view message) {
  std::fprintf(stderr, "lathe: internal error at %s:%d: %.*s (%s)\n", file, line,
               static_cast<int>(message.size()), message.data(), condition);
  std::abort();
}

}  // namespace lathe
