// See gguf.h.
#include "engine/io/gguf.h"

#include <cstring>
#include <limits>

#include "engine/io/gguf_format.h"

namespace lathe {

using namespace gguf;

namespace {

constexpr std::size_t kWidths[] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 0, 8, 8, 8};  // a text at least

// What is wrong; thrown inside this file only.
struct Damaged {
  std::string what;
};

}  // namespace

// Reads a mapped file from front to back; every read checks what is left.
class GgufParser {
 public:
  explicit GgufParser(GgufFile& file) : file_(file), bytes_(file.file_.bytes()) {}

  void parse() {
    if (number<std::uint32_t>() != kMagic) {
      damaged("it does not begin with \"GGUF\"");
    }
    const auto version = number<std::uint32_t>();
    if (version != kVersion) {
      damaged("its version is " + std::to_string(version) + "; version 3 can be read");
    }
    const auto tensors = count(number<std::uint64_t>(), 8 + 4 + 4 + 8, "tensors");
    const auto keys = count(number<std::uint64_t>(), 8 + 4 + 1, "keys");
    for (std::size_t i = 0; i < keys; ++i) {
      read_key();
    }
    for (std::size_t i = 0; i < tensors; ++i) {
      read_tensor();
    }
    place_tensors();
  }

 private:
  [[noreturn]] static void damaged(const std::string& what) { throw Damaged{what}; }

  std::size_t left() const { return bytes_.size() - at_; }

  template <typename T>
  T number() {
    if (left() < sizeof(T)) {
      damaged("it ends within its header");
    }
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }

  // A count of things that take at least `least` bytes each.
  std::size_t count(std::uint64_t announced, std::size_t least, const char* what) const {
    if (announced > left() / least) {
      damaged("it announces " + std::to_string(announced) + " " + what + ", more than fit into it");
    }
    return static_cast<std::size_t>(announced);
  }

  std::string text() {
    const std::size_t length = count(number<std::uint64_t>(), 1, "bytes of text");
    std::string value(reinterpret_cast<const char*>(bytes_.data() + at_), length);
    at_ += length;
    return value;
  }

  std::int64_t unsigned_number(const std::string& key) {
    const auto value = number<std::uint64_t>();
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      damaged("the value of " + key + " is beyond 63 bits");
    }
    return static_cast<std::int64_t>(value);
  }

  std::int64_t integer(std::uint32_t type, const std::string& key) {
    switch (type) {
      case kU8:
        return number<std::uint8_t>();
      case kI8:
        return number<std::int8_t>();
      case kU16:
        return number<std::uint16_t>();
      case kI16:
        return number<std::int16_t>();
      case kU32:
        return number<std::uint32_t>();
      case kI32:
        return number<std::int32_t>();
      case kI64:
        return number<std::int64_t>();
      case kBool:
        return number<std::uint8_t>() != 0 ? 1 : 0;
      default:
        return unsigned_number(key);
    }
  }

  double real(std::uint32_t type) {
    return type == kF32 ? static_cast<double>(number<float>()) : number<double>();
  }

  GgufValue array(const std::string& key) {
    const auto type = number<std::uint32_t>();
    if (type > kF64 || type == kArray) {
      damaged("the array " + key + " has elements of type " + std::to_string(type) +
              ", which is none");
    }
    const std::size_t elements = count(number<std::uint64_t>(), kWidths[type], "elements");
    if (type == kText) {
      GgufTexts texts(elements);
      for (std::string& one : texts) {
        one = text();
      }
      return texts;
    }
    if (type == kF32 || type == kF64) {
      GgufReals reals(elements);
      for (double& one : reals) {
        one = real(type);
      }
      return reals;
    }
    GgufIntegers integers(elements);
    for (std::int64_t& one : integers) {
      one = integer(type, key);
    }
    return integers;
  }

  void read_key() {
    const std::string key = text();
    const auto type = number<std::uint32_t>();
    if (key.empty() || file_.keys_.contains(key)) {
      damaged(key.empty() ? "a key has no name" : "the key " + key + " comes twice");
    }
    if (type > kF64) {
      damaged("the key " + key + " is of type " + std::to_string(type) + ", which is none");
    }
    GgufValue value;
    if (type == kArray) {
      value = array(key);
    } else if (type == kText) {
      value = text();
    } else if (type == kBool) {
      value = number<std::uint8_t>() != 0;
    } else if (type == kF32 || type == kF64) {
      value = real(type);
    } else {
      value = integer(type, key);
    }
    file_.keys_.emplace(key, std::move(value));
  }

  void read_tensor() {
    GgufTensor tensor;
    tensor.name = text();
    if (tensor.name.empty() || tensor.name.size() > kLongestName) {
      damaged("a tensor's name has " + std::to_string(tensor.name.size()) + " bytes, not 1 to 63");
    }
    const auto extents = number<std::uint32_t>();
    if (extents < 1 || extents > kMostExtents) {
      damaged("the tensor " + tensor.name + " has " + std::to_string(extents) +
              " extents, not 1 to 4");
    }
    std::int64_t elements = 1;
    for (std::uint32_t i = 0; i < extents; ++i) {
      const std::int64_t extent = unsigned_number(tensor.name);
      if (extent < 1 || extent > std::numeric_limits<std::int64_t>::max() / 16 / elements) {
        damaged("the tensor " + tensor.name + " has an extent of " + std::to_string(extent));
      }
      elements *= extent;
      tensor.shape.insert(tensor.shape.begin(), extent);
    }
    tensor.ggml_type = number<std::uint32_t>();
    tensor.begin = static_cast<std::size_t>(unsigned_number(tensor.name));
    tensor.bytes = bytes_of(tensor, elements);
    if (!file_.by_name_.emplace(tensor.name, file_.tensors_.size()).second) {
      damaged("the tensor " + tensor.name + " comes twice");
    }
    file_.tensors_.push_back(std::move(tensor));
  }

  static std::size_t bytes_of(const GgufTensor& tensor, std::int64_t elements) {
    const auto type = stored_type_of_ggml(tensor.ggml_type);
    if (!type) {
      damaged("the tensor " + tensor.name + " is of ggml type " + std::to_string(tensor.ggml_type) +
              "; f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k and q6_k can be read");
    }
    const StoredTypeInfo& info = info_of(*type);
    if (tensor.shape.back() % info.block_elements != 0) {
      damaged("the tensor " + tensor.name + " has rows of " + std::to_string(tensor.shape.back()) +
              " elements, no whole blocks of " + std::to_string(info.block_elements));
    }
    return static_cast<std::size_t>(stored_bytes(*type, elements));
  }

  std::size_t alignment() const {
    const auto found = file_.keys_.find("general.alignment");
    if (found == file_.keys_.end()) {
      return kDefaultAlignment;
    }
    const auto* value = std::get_if<std::int64_t>(&found->second);
    if (value == nullptr || *value < 8 || *value > (1 << 20) || (*value & (*value - 1)) != 0) {
      damaged("its alignment is no power of two from 8 to 1048576");
    }
    return static_cast<std::size_t>(*value);
  }

  // Tensors follow one another in the order of their list, without gaps but padding.
  void place_tensors() {
    const std::size_t step = alignment();
    file_.data_start_ = padded(at_, step);
    const std::size_t room =
        bytes_.size() > file_.data_start_ ? bytes_.size() - file_.data_start_ : 0;
    std::size_t expected = 0;
    for (const GgufTensor& tensor : file_.tensors_) {
      if (tensor.begin != expected) {
        damaged("the tensor " + tensor.name + " begins at " + std::to_string(tensor.begin) +
                ", not at " + std::to_string(expected) + " where the one before it ends");
      }
      if (tensor.begin > room || tensor.bytes > room - tensor.begin) {
        damaged("the tensor " + tensor.name + " of " + std::to_string(tensor.bytes) +
                " bytes goes beyond the end of the file");
      }
      expected = padded(tensor.begin + tensor.bytes, step);
    }
  }

  GgufFile& file_;
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
};

Result<GgufFile> GgufFile::open(const std::filesystem::path& path) {
  Result<MappedFile> mapped = MappedFile::open(path);
  if (!mapped) {
    return mapped.error();
  }
  GgufFile file(std::move(*mapped));
  try {
    GgufParser(file).parse();
  } catch (const Damaged& damage) {
    return Error{ErrorKind::kData, path.string() + " cannot be read as GGUF: " + damage.what,
                 "fetch or convert the model again"};
  }
  return file;
}

const GgufTensor* GgufFile::find(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

std::span<const std::byte> GgufFile::data(const GgufTensor& tensor) const {
  return file_.bytes().subspan(data_start_ + tensor.begin, tensor.bytes);
}

}  // namespace lathe
