// Writing and distrustful reading of safetensors.
#include "engine/io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/base/json.h"

namespace lathe {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kMaxHeaderBytes = std::size_t{100} << 20;  // the format's own limit
constexpr std::int64_t kMaxElements = std::int64_t{1} << 48;

bool has_blocks(DType dtype) {
  return dtype_layout(dtype).block_elements > 1;
}

// Bytes per element of a spelled dtype, 0 if it is unknown.
std::size_t spelled_bytes(const std::string& dtype) {
  static const std::map<std::string, std::size_t> kBytes{
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1},
      {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
      {"U32", 4},  {"F32", 4}, {"F64", 8}, {"I64", 8},     {"U64", 8}};
  const auto found = kBytes.find(dtype);
  return found == kBytes.end() ? 0 : found->second;
}

Error damaged(const std::filesystem::path& path, const std::string& what) {
  return {ErrorKind::kData, path.string() + " is not a sound safetensors file: " + what,
          "copy it again from where it came, or use another checkpoint"};
}

bool is_size(const Json& value) {
  return value.is_number_unsigned() ||
         (value.is_number_integer() && value.get<std::int64_t>() >= 0);
}

// Fills one entry from its header object; an empty string is success, else what is wrong.
std::string read_entry(const Json& in, std::size_t data_bytes, SafetensorsEntry& entry) {
  if (!in.is_object() || !in.contains("dtype") || !in["dtype"].is_string() ||
      !in.contains("shape") || !in["shape"].is_array() || !in.contains("data_offsets") ||
      !in["data_offsets"].is_array() || in["data_offsets"].size() != 2) {
    return "lacks dtype, shape or data_offsets";
  }
  entry.dtype = in["dtype"].get<std::string>();
  const std::size_t element = spelled_bytes(entry.dtype);
  if (element == 0) {
    return "has the unknown dtype " + entry.dtype;
  }
  std::int64_t elements = 1;
  for (const Json& extent : in["shape"]) {
    if (!is_size(extent) || extent.get<std::uint64_t>() > kMaxElements) {
      return "has the extent " + extent.dump();
    }
    entry.shape.push_back(extent.get<std::int64_t>());
    if (entry.shape.back() != 0 && elements > kMaxElements / entry.shape.back()) {
      return "has too many elements";
    }
    elements *= entry.shape.back();
  }
  const Json& offsets = in["data_offsets"];
  if (!is_size(offsets[0]) || !is_size(offsets[1])) {
    return "has offsets that are not sizes";
  }
  entry.begin = offsets[0].get<std::size_t>();
  entry.end = offsets[1].get<std::size_t>();
  if (entry.begin > entry.end || entry.end > data_bytes ||
      entry.end - entry.begin != static_cast<std::size_t>(elements) * element) {
    return "has offsets " + offsets.dump() + " that do not fit its shape or the file";
  }
  return "";
}

}  // namespace

std::string safetensors_name(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "F32";
    case DType::kF16:
      return "F16";
    case DType::kBf16:
      return "BF16";
    case DType::kI32:
      return "I32";
    default:
      CHECK(has_blocks(dtype) || dtype == DType::kU8, "a type that the format spells");
      return "U8";
  }
}

void SafetensorsWriter::declare(const std::string& name, DType dtype,
                                std::vector<std::int64_t> shape) {
  if (has_blocks(dtype)) {
    shape.back() = size_bytes(dtype, shape.back());
  }
  declare(name, safetensors_name(dtype), std::move(shape));
}

void SafetensorsWriter::declare(const std::string& name, const std::string& dtype,
                                std::vector<std::int64_t> shape) {
  std::size_t bytes = spelled_bytes(dtype);
  CHECK(bytes > 0, "a type that the format spells");
  for (const std::int64_t extent : shape) {
    bytes *= static_cast<std::size_t>(extent);
  }
  const std::size_t begin = entries_.empty() ? 0 : entries_.back().end;
  entries_.push_back({name, dtype, std::move(shape), begin, begin + bytes});
}

Result<void> SafetensorsWriter::open(const std::filesystem::path& path) {
  Json header = Json::object();
  if (!metadata_.empty()) {
    header["__metadata__"] = metadata_;
  }
  for (const SafetensorsEntry& entry : entries_) {
    header[entry.name] = {
        {"dtype", entry.dtype}, {"shape", entry.shape}, {"data_offsets", {entry.begin, entry.end}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + kLengthBytes - 1) / kLengthBytes * kLengthBytes, ' ');
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file) {
    return file.error();
  }
  file_.push_back(std::move(*file));
  const std::uint64_t length = text.size();
  const Result<void> written = file_[0].write(&length, sizeof(length));
  return written ? file_[0].write(text.data(), text.size()) : written;
}

Result<void> SafetensorsWriter::write(const void* data, std::size_t bytes) {
  CHECK(!file_.empty() && next_ < entries_.size(), "tensors are written after open, in order");
  CHECK(bytes == entries_[next_].end - entries_[next_].begin, "a tensor has its declared size");
  ++next_;
  return file_[0].write(data, bytes);
}

Result<void> SafetensorsWriter::commit() {
  CHECK(next_ == entries_.size(), "every declared tensor is written");
  return file_[0].commit();
}

Result<SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
  Result<MappedFile> mapped = MappedFile::open(path);
  if (!mapped) {
    return mapped.error();
  }
  SafetensorsFile file(std::move(*mapped));
  const Result<void> parsed = file.parse(path);
  if (!parsed) {
    return parsed.error();
  }
  return file;
}

Result<void> SafetensorsFile::parse(const std::filesystem::path& path) {
  const std::span<const std::byte> all = file_.bytes();
  std::uint64_t length = 0;
  if (all.size() < kLengthBytes) {
    return damaged(path, "it has " + std::to_string(all.size()) + " bytes");
  }
  std::memcpy(&length, all.data(), kLengthBytes);
  if (length > kMaxHeaderBytes || length > all.size() - kLengthBytes) {
    return damaged(path, "its header claims " + std::to_string(length) + " bytes of " +
                             std::to_string(all.size()));
  }
  data_start_ = kLengthBytes + length;
  const std::string_view text(reinterpret_cast<const char*>(all.data()) + kLengthBytes, length);
  const Result<Json> header = parse_json(text, "the header");
  if (!header || !header->is_object()) {
    return damaged(path, header ? "its header is not an object" : header.error().message);
  }
  const std::size_t data_bytes = all.size() - data_start_;
  for (const auto& [name, value] : header->items()) {
    if (name == "__metadata__") {
      if (!value.is_object()) {
        return damaged(path, "its metadata is not an object");
      }
      for (const auto& [key, item] : value.items()) {
        if (!item.is_string()) {
          return damaged(path, "metadata " + key + " is not a text");
        }
        metadata_[key] = item.get<std::string>();
      }
      continue;
    }
    SafetensorsEntry entry;
    entry.name = name;
    const std::string wrong = read_entry(value, data_bytes, entry);
    if (!wrong.empty()) {
      return damaged(path, "tensor " + name + " " + wrong);
    }
    entries_.push_back(std::move(entry));
  }
  std::sort(entries_.begin(), entries_.end(),
            [](const auto& a, const auto& b) { return a.begin < b.begin; });
  std::size_t expected = 0;
  for (const SafetensorsEntry& entry : entries_) {
    if (entry.begin != expected) {
      return damaged(path, "tensor " + entry.name + " overlaps another or leaves a gap");
    }
    expected = entry.end;
  }
  if (expected != data_bytes) {
    return damaged(path, "bytes follow the last tensor or are missing");
  }
  return {};
}

const SafetensorsEntry* SafetensorsFile::find(const std::string& name) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const auto& entry) { return entry.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

std::span<const std::byte> SafetensorsFile::bytes(const SafetensorsEntry& entry) const {
  return file_.bytes().subspan(data_start_ + entry.begin, entry.end - entry.begin);
}

}  // namespace lathe
