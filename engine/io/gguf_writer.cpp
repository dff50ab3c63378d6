// The writing half of gguf.h.
#include <cstring>

#include "engine/io/gguf.h"
#include "engine/io/gguf_format.h"

namespace lathe {

using namespace gguf;

namespace {

template <typename T>
void put(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

void put_text(std::string& out, const std::string& text) {
  put<std::uint64_t>(out, text.size());
  out += text;
}

}  // namespace

void GgufWriter::begin_key(const std::string& key, std::uint32_t type) {
  CHECK(file_.empty(), "keys come before open()");
  put_text(keys_, key);
  put(keys_, type);
  ++key_count_;
}

void GgufWriter::set_u32(const std::string& key, std::uint32_t value) {
  begin_key(key, kU32);
  put(keys_, value);
}

void GgufWriter::set_f32(const std::string& key, float value) {
  begin_key(key, kF32);
  put(keys_, value);
}

void GgufWriter::set_bool(const std::string& key, bool value) {
  begin_key(key, kBool);
  put<std::uint8_t>(keys_, value ? 1 : 0);
}

void GgufWriter::set_text(const std::string& key, const std::string& value) {
  begin_key(key, kText);
  put_text(keys_, value);
}

void GgufWriter::set_texts(const std::string& key, const std::vector<std::string>& values) {
  begin_key(key, kArray);
  put<std::uint32_t>(keys_, kText);
  put<std::uint64_t>(keys_, values.size());
  for (const std::string& value : values) {
    put_text(keys_, value);
  }
}

void GgufWriter::set_f32s(const std::string& key, const std::vector<float>& values) {
  begin_key(key, kArray);
  put<std::uint32_t>(keys_, kF32);
  put<std::uint64_t>(keys_, values.size());
  for (const float value : values) {
    put(keys_, value);
  }
}

void GgufWriter::set_i32s(const std::string& key, const std::vector<std::int32_t>& values) {
  begin_key(key, kArray);
  put<std::uint32_t>(keys_, kI32);
  put<std::uint64_t>(keys_, values.size());
  for (const std::int32_t value : values) {
    put(keys_, value);
  }
}

void GgufWriter::declare(const std::string& name, StoredType type,
                         const std::vector<std::int64_t>& shape) {
  CHECK(file_.empty(), "declarations come before open()");
  CHECK(!name.empty() && name.size() <= kLongestName, "a name of 1 to 63 bytes");
  CHECK(!shape.empty() && shape.size() <= kMostExtents, "1 to 4 extents");
  CHECK(shape.back() % info_of(type).block_elements == 0, "whole blocks a row");
  std::int64_t elements = 1;
  for (const std::int64_t extent : shape) {
    elements *= extent;
  }
  tensors_.push_back({name, type, shape, static_cast<std::size_t>(stored_bytes(type, elements))});
}

Result<void> GgufWriter::open(const std::filesystem::path& path) {
  std::string header;
  put(header, kMagic);
  put(header, kVersion);
  put<std::uint64_t>(header, tensors_.size());
  put(header, key_count_);
  header += keys_;
  std::uint64_t offset = 0;
  for (const Declared& tensor : tensors_) {
    put_text(header, tensor.name);
    put(header, static_cast<std::uint32_t>(tensor.shape.size()));
    for (auto extent = tensor.shape.rbegin(); extent != tensor.shape.rend(); ++extent) {
      put(header, static_cast<std::uint64_t>(*extent));
    }
    put(header, info_of(tensor.type).ggml_id);
    put(header, offset);
    offset += padded(tensor.bytes, kDefaultAlignment);
  }
  header.resize(padded(header.size(), kDefaultAlignment), '\0');
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file) {
    return file.error();
  }
  file_.push_back(std::move(*file));
  return file_.back().write(header.data(), header.size());
}

Result<void> GgufWriter::write(const std::byte* data, std::size_t bytes) {
  CHECK(next_ < tensors_.size() && bytes == tensors_[next_].bytes, "the next declared tensor");
  ++next_;
  if (const Result<void> written = file_.back().write(data, bytes); !written) {
    return written;
  }
  constexpr char kZeros[kDefaultAlignment] = {};
  return file_.back().write(kZeros, padded(bytes, kDefaultAlignment) - bytes);
}

Result<void> GgufWriter::commit() {
  CHECK(next_ == tensors_.size(), "every declared tensor was written");
  return file_.back().commit();
}

}  // namespace lathe
