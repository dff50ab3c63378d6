// See ids.h: 30 bits of seconds above 20 bits that count up from a random start.
#include "experiments/ids.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <random>
#include <string_view>

namespace lathe::experiments {
namespace {

constexpr std::uint64_t kMask = (1ULL << 50) - 1;

// A bijection of 50-bit numbers: odd factors and shifted xors lose nothing.
std::uint64_t scramble(std::uint64_t value) {
  constexpr std::uint64_t kOddFactor = 0x9E3779B97F4A7C15ULL;  // 2^64 / golden ratio
  value = (value * kOddFactor) & kMask;
  value ^= value >> 23;
  value = (value * kOddFactor) & kMask;
  return value ^ (value >> 29);
}

}  // namespace

std::string new_id() {
  static std::atomic<std::uint64_t> counter{std::random_device{}()};
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto secs = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  const std::uint64_t low = counter.fetch_add(1) & ((1ULL << 20) - 1);
  std::uint64_t bits = scramble(((static_cast<std::uint64_t>(secs) << 20) | low) & kMask);
  constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
  std::string id(10, '0');
  for (char& digit : id) {
    digit = kAlphabet[bits & 31];
    bits >>= 5;
  }
  return id;
}

}  // namespace lathe::experiments
