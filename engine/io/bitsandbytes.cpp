// See bitsandbytes.h.
#include "engine/io/bitsandbytes.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "engine/quant/dynamic_map.h"
#include "engine/quant/nf4.h"
#include "engine/quant/stored_matrix.h"

namespace lathe {
namespace {

constexpr std::int64_t kBlock = 64;
constexpr std::int64_t kNestedBlock = 256;
constexpr std::int64_t kCodeBytes = kBlock / 2;
constexpr std::size_t kMostState = 4096;  // bytes of JSON
const std::string kState = ".quant_state.bitsandbytes__";

template <typename Number>
std::vector<std::byte> bytes_of(std::span<const Number> numbers) {
  const auto bytes = std::as_bytes(numbers);
  return {bytes.begin(), bytes.end()};
}

float float_at(std::span<const std::byte> bytes, std::int64_t at) {
  float value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// Of nf4 and nf4_dq in our layouts: codes, and what else there is.
struct Planes {
  std::vector<std::byte> codes, absmax, nested_absmax;
  float offset = 0;
};

Planes planes_of(StoredType type, std::int64_t blocks, std::span<const std::byte> matrix) {
  Planes planes;
  if (type == StoredType::kNf4) {
    for (std::int64_t block = 0; block < blocks; ++block) {
      const auto at = matrix.begin() + block * (4 + kCodeBytes);
      planes.absmax.insert(planes.absmax.end(), at, at + 4);
      planes.codes.insert(planes.codes.end(), at + 4, at + 4 + kCodeBytes);
    }
    return planes;
  }
  const auto tables = matrix.begin() + blocks * kCodeBytes;
  const std::int64_t nested = (blocks + kNestedBlock - 1) / kNestedBlock * 4;
  planes.codes.assign(matrix.begin(), tables);
  planes.offset = float_at(matrix, blocks * kCodeBytes);
  planes.nested_absmax.assign(tables + 4, tables + 4 + nested);
  planes.absmax.assign(tables + 4 + nested, tables + 4 + nested + blocks);
  return planes;
}

std::string state_text(StoredType type, std::int64_t rows, std::int64_t cols,
                       const std::string& computes, float offset) {
  Json state{
      {"quant_type", "nf4"}, {"blocksize", kBlock}, {"dtype", computes}, {"shape", {rows, cols}}};
  if (type == StoredType::kNf4Double) {
    state["nested_blocksize"] = kNestedBlock;
    state["nested_dtype"] = "float32";
    state["nested_offset"] = offset;
  }
  return json_text(state);
}

std::vector<BitsandbytesPart> nf4_parts(const std::string& name, StoredType type, std::int64_t rows,
                                        std::int64_t cols, const std::string& computes,
                                        std::span<const std::byte> matrix) {
  const std::int64_t blocks = rows * cols / kBlock;
  Planes planes = matrix.empty() ? Planes{} : planes_of(type, blocks, matrix);
  const bool twice = type == StoredType::kNf4Double;
  // As many bytes whatever the offset is: they are declared before it is known.
  constexpr std::size_t kStateBytes = 256;
  std::string state = state_text(type, rows, cols, computes, planes.offset);
  state.resize(std::max(kStateBytes, state.size()), ' ');
  const std::span<const char> characters(state.data(), state.size());
  std::vector<BitsandbytesPart> parts;
  parts.push_back({name, "U8", {rows * cols / 2, 1}, std::move(planes.codes)});
  parts.push_back({name + ".absmax", twice ? "U8" : "F32", {blocks}, std::move(planes.absmax)});
  parts.push_back({name + ".quant_map", "F32", {16}, bytes_of(std::span<const float>(kNf4Levels))});
  if (twice) {
    parts.push_back({name + ".nested_absmax",
                     "F32",
                     {(blocks + kNestedBlock - 1) / kNestedBlock},
                     std::move(planes.nested_absmax)});
    parts.push_back({name + ".nested_quant_map",
                     "F32",
                     {kDynamicCodes},
                     bytes_of(std::span<const float>(kSignedValues))});
  }
  parts.push_back({name + kState + "nf4",
                   "U8",
                   {static_cast<std::int64_t>(state.size())},
                   bytes_of(characters)});
  return parts;
}

std::string module_of(const std::string& name) {
  return name.substr(0, name.rfind('.'));
}

std::vector<BitsandbytesPart> int8_parts(const std::string& name, std::int64_t rows,
                                         std::int64_t cols, std::span<const std::byte> matrix) {
  std::vector<std::byte> codes;
  std::vector<float> sizes(static_cast<std::size_t>(matrix.empty() ? 0 : rows));
  if (!matrix.empty()) {
    codes.assign(matrix.begin(), matrix.begin() + rows * cols);
    for (std::int64_t row = 0; row < rows; ++row) {
      sizes[static_cast<std::size_t>(row)] = 127.0f * float_at(matrix, rows * cols + 4 * row);
    }
  }
  return {{name, "I8", {rows, cols}, std::move(codes)},
          {module_of(name) + ".SCB", "F32", {rows}, bytes_of(std::span<const float>(sizes))},
          {module_of(name) + ".weight_format", "U8", {}, {std::byte{0}}}};
}

Error unread(const std::string& name, const std::string& what) {
  return {ErrorKind::kData, name + ": " + what,
          "write it again as NF4 in blocks of 64, or as int8 by rows, or in f16"};
}

using Found = std::map<std::string, FoundTensor>;

// The bytes of a tensor of that type and number of elements; nothing if there is none.
std::optional<std::span<const std::byte>> plane(const Found& found, const std::string& name,
                                                std::string_view dtype, std::int64_t elements) {
  const auto at = found.find(name);
  if (at == found.end() || at->second.entry.dtype != dtype) {
    return std::nullopt;
  }
  std::int64_t count = 1;
  for (const std::int64_t extent : at->second.entry.shape) {
    count *= extent;
  }
  return count == elements ? std::optional(at->second.bytes) : std::nullopt;
}

bool holds(std::span<const std::byte> bytes, std::span<const float> values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!(std::abs(float_at(bytes, static_cast<std::int64_t>(4 * i)) - values[i]) < 1e-6f)) {
      return false;
    }
  }
  return true;
}

struct Nf4State {
  std::int64_t rows = 0, cols = 0;
  bool twice = false;
  float offset = 0;
};

Result<Nf4State> read_state(const std::string& name, const FoundTensor& tensor) {
  const std::string text(reinterpret_cast<const char*>(tensor.bytes.data()),
                         std::min(tensor.bytes.size(), kMostState));
  const auto json = parse_json(text, name + kState + "nf4");
  if (!json || !json->is_object()) {
    return unread(name, "its quantisation state is no JSON object");
  }
  const auto number = [&](const char* key) {
    const Json value = json->value(key, Json());
    return value.is_number() ? value.get<double>() : -1.0;
  };
  const Json shape = json->value("shape", Json());
  Nf4State state;
  if (number("blocksize") != kBlock) {
    return unread(
        name, "its blocksize is " + json_text(json->value("blocksize", Json())) + "; 64 is read");
  }
  constexpr std::uint64_t kMostExtent = std::uint64_t{1} << 28;
  if (!shape.is_array() || shape.size() != 2 || !shape[0].is_number_unsigned() ||
      !shape[1].is_number_unsigned() || shape[0].get<std::uint64_t>() > kMostExtent ||
      shape[1].get<std::uint64_t>() > kMostExtent) {
    return unread(name, "its shape is " + json_text(shape) + ", not that of a matrix");
  }
  state.rows = shape[0].get<std::int64_t>();
  state.cols = shape[1].get<std::int64_t>();
  if (state.cols % kBlock != 0) {
    return unread(name, "its rows of " + std::to_string(state.cols) + " are no whole blocks of 64");
  }
  state.twice = json->contains("nested_blocksize");
  if (state.twice && (number("nested_blocksize") != kNestedBlock ||
                      !json->value("nested_offset", Json()).is_number())) {
    return unread(name, "its absmax are not quantised in blocks of 256 with an offset");
  }
  state.offset = state.twice ? static_cast<float>(number("nested_offset")) : 0.0f;
  return state;
}

std::vector<std::byte> joined(const Nf4State& state, std::span<const std::byte> codes,
                              std::span<const std::byte> absmax,
                              std::span<const std::byte> nested) {
  std::vector<std::byte> bytes;
  const std::int64_t blocks = state.rows * state.cols / kBlock;
  bytes.reserve(codes.size() + absmax.size() + nested.size() + 4);
  if (state.twice) {
    bytes.assign(codes.begin(), codes.end());
    const auto offset = std::as_bytes(std::span(&state.offset, 1));
    bytes.insert(bytes.end(), offset.begin(), offset.end());
    bytes.insert(bytes.end(), nested.begin(), nested.end());
    bytes.insert(bytes.end(), absmax.begin(), absmax.end());
    return bytes;
  }
  for (std::int64_t block = 0; block < blocks; ++block) {
    const auto scale = absmax.begin() + 4 * block;
    const auto code = codes.begin() + kCodeBytes * block;
    bytes.insert(bytes.end(), scale, scale + 4);
    bytes.insert(bytes.end(), code, code + kCodeBytes);
  }
  return bytes;
}

Result<BitsandbytesMatrix> nf4_matrix(const std::string& name, const Found& found) {
  const auto state = read_state(name, found.at(name + kState + "nf4"));
  if (!state) {
    return state.error();
  }
  const std::int64_t blocks = state->rows * state->cols / kBlock;
  const std::int64_t nested_blocks = (blocks + kNestedBlock - 1) / kNestedBlock;
  const auto codes = plane(found, name, "U8", blocks * kCodeBytes);
  const auto absmax = plane(found, name + ".absmax", state->twice ? "U8" : "F32", blocks);
  const auto levels = plane(found, name + ".quant_map", "F32", 16);
  const auto nested = plane(found, name + ".nested_absmax", "F32", nested_blocks);
  const auto nested_levels = plane(found, name + ".nested_quant_map", "F32", kDynamicCodes);
  if (!codes || !absmax || !levels || (state->twice && (!nested || !nested_levels))) {
    return unread(name, "codes, absmax or tables are missing, or not of its shape");
  }
  if (!holds(*levels, kNf4Levels) || (state->twice && !holds(*nested_levels, kSignedValues))) {
    return unread(name, "its levels are not those of NF4 and of the dynamic map");
  }
  return BitsandbytesMatrix{
      .type = state->twice ? StoredType::kNf4Double : StoredType::kNf4,
      .rows = state->rows,
      .cols = state->cols,
      .bytes = joined(*state, *codes, *absmax, nested.value_or(std::span<const std::byte>()))};
}

Result<BitsandbytesMatrix> int8_matrix(const std::string& name, const Found& found) {
  const SafetensorsEntry& entry = found.at(name).entry;
  const std::string module = module_of(name);
  if (entry.dtype != "I8" || entry.shape.size() != 2) {
    return unread(name, "it has an SCB beside it, but is no matrix of I8");
  }
  const std::int64_t rows = entry.shape[0];
  const std::int64_t cols = entry.shape[1];
  const auto sizes = plane(found, module + ".SCB", "F32", rows);
  const auto format = plane(found, module + ".weight_format", "U8", 1);
  if (!sizes || (format && (*format)[0] != std::byte{0})) {
    return unread(name, "its SCB is no F32 for each row, or its weight_format is not 0 (by rows)");
  }
  if (!fits_type(StoredType::kInt8Row, rows, cols)) {
    return unread(name, "its rows of " + std::to_string(cols) + " are no whole blocks of 32");
  }
  const std::span<const std::byte> codes = found.at(name).bytes;
  BitsandbytesMatrix matrix{.type = StoredType::kInt8Row,
                            .rows = rows,
                            .cols = cols,
                            .bytes = {codes.begin(), codes.end()}};
  for (std::int64_t row = 0; row < rows; ++row) {
    const float scale = float_at(*sizes, 4 * row) / 127.0f;
    const auto bytes = std::as_bytes(std::span(&scale, 1));
    matrix.bytes.insert(matrix.bytes.end(), bytes.begin(), bytes.end());
  }
  return matrix;
}

void erase_parts(Found& found, const std::string& name) {
  std::erase_if(found, [&](const auto& tensor) {
    return tensor.first == name || tensor.first.starts_with(name + ".") ||
           tensor.first == module_of(name) + ".SCB" ||
           tensor.first == module_of(name) + ".weight_format";
  });
}

}  // namespace

bool is_of_bitsandbytes(StoredType type) {
  return type == StoredType::kNf4 || type == StoredType::kNf4Double || type == StoredType::kInt8Row;
}

std::vector<BitsandbytesPart> bitsandbytes_parts(const std::string& name, StoredType type,
                                                 std::int64_t rows, std::int64_t cols,
                                                 const std::string& computes,
                                                 std::span<const std::byte> matrix) {
  CHECK(is_of_bitsandbytes(type), "a type that bitsandbytes has");
  return type == StoredType::kInt8Row ? int8_parts(name, rows, cols, matrix)
                                      : nf4_parts(name, type, rows, cols, computes, matrix);
}

Json bitsandbytes_config(StoredType type, const std::string& computes,
                         const std::vector<std::string>& skipped) {
  const bool eight = type == StoredType::kInt8Row;
  return {{"quant_method", "bitsandbytes"},
          {"load_in_4bit", !eight},
          {"load_in_8bit", eight},
          {"bnb_4bit_quant_type", "nf4"},
          {"bnb_4bit_use_double_quant", type == StoredType::kNf4Double},
          {"bnb_4bit_compute_dtype", computes},
          {"bnb_4bit_quant_storage", "uint8"},
          {"llm_int8_threshold", 6.0},
          {"llm_int8_skip_modules", skipped}};
}

Result<std::map<std::string, BitsandbytesMatrix>> take_bitsandbytes(Found& found) {
  std::map<std::string, BitsandbytesMatrix> matrices;
  std::vector<std::string> names;
  for (const auto& [name, tensor] : found) {
    if (const std::size_t at = name.find(kState); at != std::string::npos) {
      if (name.substr(at + kState.size()) != "nf4") {
        return unread(name.substr(0, at), "it is " + name.substr(at + kState.size()) +
                                              "; of bitsandbytes' 4 bits NF4 is read");
      }
      names.push_back(name.substr(0, at));
    } else if (name.ends_with(".SCB")) {
      names.push_back(module_of(name) + ".weight");
    }
  }
  for (const std::string& name : names) {
    if (!found.contains(name)) {
      return unread(name, "the codes are missing that its tables belong to");
    }
    auto matrix =
        found.contains(name + kState + "nf4") ? nf4_matrix(name, found) : int8_matrix(name, found);
    if (!matrix) {
      return matrix.error();
    }
    matrices[name] = std::move(*matrix);
    erase_parts(found, name);
  }
  return matrices;
}

}  // namespace lathe
