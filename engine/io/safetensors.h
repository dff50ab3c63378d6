// The safetensors container: 8 bytes little-endian header length, a JSON header of name -> dtype,
// shape, [begin, end), then the raw tensors. Reading trusts nothing: length, JSON, types, shapes,
// offsets, gaps and overlaps are checked before a byte is used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/base/atomic_file.h"
#include "engine/base/mapped_file.h"
#include "engine/base/result.h"
#include "engine/tensor/dtype.h"

namespace lathe {

// One tensor of a file: its dtype as the format spells it ("F32", "I32", "BF16" ...).
struct SafetensorsEntry {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::size_t begin = 0;  // within the data part
  std::size_t end = 0;
};

// A type as the format spells it; blocks are bytes. Precondition: no f64.
std::string safetensors_name(DType dtype);

// Writes a file in one pass: the tensors are declared first, their bytes follow in the same order.
class SafetensorsWriter {
 public:
  void declare(const std::string& name, DType dtype, std::vector<std::int64_t> shape);
  // With a type as the format spells it.
  void declare(const std::string& name, const std::string& dtype, std::vector<std::int64_t> shape);
  void set_metadata(const std::string& key, const std::string& value) { metadata_[key] = value; }

  // Ends the declarations. kDisk where the file cannot be created.
  Result<void> open(const std::filesystem::path& path);
  // The bytes of the next declared tensor.
  Result<void> write(const void* data, std::size_t bytes);
  // kDisk where the disk is full; CHECKs that every declared tensor was written.
  Result<void> commit();

 private:
  std::vector<SafetensorsEntry> entries_;
  std::map<std::string, std::string> metadata_;
  std::vector<AtomicFile> file_;  // none before open()
  std::size_t next_ = 0;
};

class SafetensorsFile {
 public:
  // kData, naming the file and what is wrong with it.
  static Result<SafetensorsFile> open(const std::filesystem::path& path);

  // In the order of their bytes.
  const std::vector<SafetensorsEntry>& entries() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  // nullptr if there is none of that name.
  const SafetensorsEntry* find(const std::string& name) const;
  std::span<const std::byte> bytes(const SafetensorsEntry& entry) const;

 private:
  SafetensorsFile(MappedFile file) : file_(std::move(file)) {}
  Result<void> parse(const std::filesystem::path& path);

  MappedFile file_;
  std::size_t data_start_ = 0;
  std::vector<SafetensorsEntry> entries_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace lathe
