// Digests: SHA-256 for identities that are kept, XXH3 for quick content checks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace lathe {

// Lower-case hex SHA-256 (OpenSSL).
std::string sha256_hex(std::string_view data);

// Incremental SHA-256.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  ~Sha256();
  void update(const void* data, std::size_t bytes);
  std::string hex();  // ends the digest

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// 64-bit XXH3.
std::uint64_t xxh3(const void* data, std::size_t bytes, std::uint64_t seed = 0);

}  // namespace lathe
