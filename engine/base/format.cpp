// Units, durations and times.
#include "engine/base/format.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <string_view>

namespace lathe {
namespace {

// Three significant digits of a value below 1000 (1024 for bytes).
std::string three_digits(double value) {
  std::array<char, 32> text{};
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return text.data();
}

template <std::size_t N>
std::string scaled(double value, double base, const std::array<std::string_view, N>& units) {
  std::size_t unit = 0;
  double shown = std::abs(value);
  // 999.5 would print as 1000: it already belongs to the next unit.
  while (shown >= base - 0.5 && unit + 1 < N) {
    shown /= base;
    ++unit;
  }
  std::string number = unit == 0 && shown == std::floor(shown)
                           ? std::to_string(static_cast<std::int64_t>(shown))
                           : three_digits(shown);
  if (!units[unit].empty()) {
    number += " ";
    number += units[unit];
  }
  return (value < 0 ? "-" : "") + number;
}

std::string time_with(std::int64_t unix_ms, const char* pattern, bool utc) {
  const std::time_t secs = static_cast<std::time_t>(unix_ms / 1000);
  std::tm broken_down{};
  if (utc) {
    gmtime_r(&secs, &broken_down);
  } else {
    localtime_r(&secs, &broken_down);
  }
  std::array<char, 64> text{};
  std::strftime(text.data(), text.size(), pattern, &broken_down);
  return text.data();
}

}  // namespace

std::string bytes_text(std::int64_t bytes) {
  static constexpr std::array<std::string_view, 6> kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  return scaled(static_cast<double>(bytes), 1024.0, kUnits);
}

std::string count_text(double count) {
  static constexpr std::array<std::string_view, 5> kUnits{"", "k", "M", "G", "T"};
  return scaled(count, 1000.0, kUnits);
}

std::string duration_text(double secs) {
  std::array<char, 48> text{};
  if (secs < 9.95) {
    std::snprintf(text.data(), text.size(), "%.1f s", secs);
    return text.data();
  }
  const auto whole = static_cast<long long>(std::llround(secs));
  if (whole < 60) {
    std::snprintf(text.data(), text.size(), "%lld s", whole);
  } else if (whole < 3600) {
    std::snprintf(text.data(), text.size(), "%lld:%02lld", whole / 60, whole % 60);
  } else {
    std::snprintf(text.data(), text.size(), "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60,
                  whole % 60);
  }
  return text.data();
}

std::string time_text(std::int64_t unix_ms) {
  return time_with(unix_ms, "%Y-%m-%d %H:%M:%S", false);
}

std::string iso_time_text(std::int64_t unix_ms) {
  return time_with(unix_ms, "%Y-%m-%dT%H:%M:%SZ", true);
}

}  // namespace lathe
