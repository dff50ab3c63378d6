// An input of a fuzzer as a file, for readers that map what they read: bytes in memory under a name
// in a folder that goes away with the process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace lathe::fuzz {

class InputFile {
 public:
  // `name` with the ending by which a reader tells what it reads.
  explicit InputFile(const std::string& name);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  // Replaces what the file holds. No mapping of it may be alive.
  const std::filesystem::path& fill(const std::uint8_t* data, std::size_t size) const;

 private:
  std::filesystem::path folder_;
  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace lathe::fuzz
