// std::source_location for clang before 16, to which libstdc++ does not give its own: enough for
// clang-tidy to read the simulated kernels (check_kernels).
#pragma once

#include <cstdint>
#include <version>

#if !__has_builtin(__builtin_source_location)
namespace std {
struct source_location {
  static constexpr source_location current() { return {}; }
  constexpr const char* file_name() const { return ""; }
  constexpr std::uint_least32_t line() const { return 0; }
};
}  // namespace std
#endif
