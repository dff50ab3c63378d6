// The GGUF container, version 3 (ggml's docs/gguf.md): keys with values, then tensors in ggml's
// types. Reading trusts nothing: every count, length, type, name and offset is checked against the
// file's size before it is used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "engine/base/atomic_file.h"
#include "engine/base/mapped_file.h"
#include "engine/base/result.h"
#include "engine/quant/stored_type.h"

namespace lathe {

using GgufIntegers = std::vector<std::int64_t>;
using GgufReals = std::vector<double>;
using GgufTexts = std::vector<std::string>;
// A value of a key. Integers of every width are held as int64 (an unsigned one beyond its range is
// refused), booleans as integers 0 and 1 only inside arrays.
using GgufValue =
    std::variant<std::int64_t, double, bool, std::string, GgufIntegers, GgufReals, GgufTexts>;

struct GgufTensor {
  std::string name;
  std::uint32_t ggml_type = 0;
  std::vector<std::int64_t> shape;  // slowest extent first: [rows, columns], as everywhere here
  std::size_t begin = 0;            // within the data part
  std::size_t bytes = 0;
};

class GgufFile {
 public:
  // kData, naming the file and what is wrong with it.
  static Result<GgufFile> open(const std::filesystem::path& path);

  const std::map<std::string, GgufValue>& keys() const { return keys_; }
  // In the order of the file.
  const std::vector<GgufTensor>& tensors() const { return tensors_; }
  // nullptr if there is none of that name.
  const GgufTensor* find(const std::string& name) const;
  std::span<const std::byte> data(const GgufTensor& tensor) const;

  // The value of a key as a type; null if it is absent or of another type.
  template <typename T>
  const T* get(const std::string& key) const {
    const auto found = keys_.find(key);
    return found == keys_.end() ? nullptr : std::get_if<T>(&found->second);
  }

 private:
  explicit GgufFile(MappedFile file) : file_(std::move(file)) {}
  friend class GgufParser;

  MappedFile file_;
  std::size_t data_start_ = 0;
  std::map<std::string, GgufValue> keys_;
  std::vector<GgufTensor> tensors_;
  std::map<std::string, std::size_t> by_name_;
};

// Writes a file in one pass: keys and tensors are declared first, the tensors' bytes follow in the
// same order.
class GgufWriter {
 public:
  void set_u32(const std::string& key, std::uint32_t value);
  void set_f32(const std::string& key, float value);
  void set_bool(const std::string& key, bool value);
  void set_text(const std::string& key, const std::string& value);
  void set_texts(const std::string& key, const std::vector<std::string>& values);
  void set_f32s(const std::string& key, const std::vector<float>& values);
  void set_i32s(const std::string& key, const std::vector<std::int32_t>& values);
  // Shape as above. Preconditions: at most 4 extents, a name below 64 bytes, whole blocks a row.
  void declare(const std::string& name, StoredType type, const std::vector<std::int64_t>& shape);

  // Ends the declarations. kDisk where the file cannot be created.
  Result<void> open(const std::filesystem::path& path);
  // All bytes of the next declared tensor.
  Result<void> write(const std::byte* data, std::size_t bytes);
  // kDisk where the disk is full; CHECKs that every declared tensor was written.
  Result<void> commit();

 private:
  struct Declared {
    std::string name;
    StoredType type;
    std::vector<std::int64_t> shape;
    std::size_t bytes = 0;
  };
  void begin_key(const std::string& key, std::uint32_t type);

  std::string keys_;  // serialised
  std::uint64_t key_count_ = 0;
  std::vector<Declared> tensors_;
  std::vector<AtomicFile> file_;  // none before open()
  std::size_t next_ = 0;
};

}  // namespace lathe
