// Types, factors and row orders of exported weights.
#include "engine/lm/export_weights.h"

#include <algorithm>

#include "engine/quant/block_codec.h"

namespace lathe {
namespace {

// ggml's own order of retreat where rows are not whole blocks: k-quants to 32, those to f16.
StoredType fitting_type(StoredType wanted, std::int64_t cols) {
  if (cols % info_of(wanted).block_elements == 0) {
    return wanted;
  }
  return cols % info_of(StoredType::kQ8_0).block_elements == 0 ? StoredType::kQ8_0
                                                               : StoredType::kF16;
}

std::string factored_slot(const ModelFile& source, const std::string& name) {
  constexpr std::string_view kLeaf = ".weight";
  if (!name.ends_with(kLeaf)) {
    return "";
  }
  std::string slot = name.substr(0, name.size() - kLeaf.size());
  return source.find(slot + ".a") != nullptr && source.find(slot + ".b") != nullptr ? slot : "";
}

std::vector<float> values_of(const ModelTensor& tensor) {
  std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
  read_tensor(tensor, values.data());
  return values;
}

// B A, summed in double; in the order that walks A's rows.
std::vector<float> product(const ModelTensor& b, const ModelTensor& a) {
  const std::vector<float> left = values_of(b);
  const std::vector<float> right = values_of(a);
  const auto out = static_cast<std::size_t>(b.shape[0]);
  const auto rank = static_cast<std::size_t>(a.shape[0]);
  const auto in = static_cast<std::size_t>(a.shape[1]);
  std::vector<float> all(out * in);
  std::vector<double> row(in);
  for (std::size_t i = 0; i < out; ++i) {
    std::fill(row.begin(), row.end(), 0.0);
    for (std::size_t k = 0; k < rank; ++k) {
      const double factor = left[i * rank + k];
      for (std::size_t j = 0; j < in; ++j) {
        row[j] += factor * right[k * in + j];
      }
    }
    std::transform(row.begin(), row.end(), all.begin() + static_cast<std::ptrdiff_t>(i * in),
                   [](double value) { return static_cast<float>(value); });
  }
  return all;
}

// Rows of each head from halves (i, i + half) to pairs (2i, 2i + 1).
std::vector<float> to_pairs(const ModelTensor& tensor, const std::vector<float>& values) {
  const std::int64_t cols = tensor.shape[1];
  const std::int64_t width = tensor.shape[0] / tensor.heads;
  const std::int64_t half = width / 2;
  std::vector<float> out(values.size());
  for (std::int64_t row = 0; row < tensor.shape[0]; ++row) {
    const std::int64_t within = row % width;
    const std::int64_t to = row - within + (within < half ? 2 * within : 2 * (within - half) + 1);
    std::copy_n(values.begin() + row * cols, cols, out.begin() + to * cols);
  }
  return out;
}

}  // namespace

std::vector<ExportWeight> export_weights(const ModelFile& source, const ExportRequest& request) {
  const bool gguf = request.format == ModelFormat::kGguf;
  std::vector<ExportWeight> list;
  for (NamedWeight& named :
       named_weights(source.config(), gguf ? NameScheme::kGgufLlama : NameScheme::kHfLlama)) {
    ExportWeight& weight = list.emplace_back();
    weight.named = std::move(named);
    const ModelTensor& tensor = weight.named.tensor;
    weight.merged = !factored_slot(source, tensor.name).empty();
    if (tensor.shape.size() < 2) {
      weight.type = gguf ? StoredType::kF32 : request.type;
      continue;
    }
    weight.type = fitting_type(request.type, tensor.shape[1]);
    if (weight.type != request.type) {
      weight.fallback = tensor.name + ": " + std::string(info_of(weight.type).name) +
                        ", its rows of " + std::to_string(tensor.shape[1]) +
                        " are not whole blocks of " +
                        std::to_string(info_of(request.type).block_elements);
    }
  }
  return list;
}

std::vector<float> dense_values(const ModelFile& source, const ExportWeight& weight) {
  const std::string& name = weight.named.tensor.name;
  if (const ModelTensor* tensor = source.find(name)) {
    return values_of(*tensor);
  }
  const std::string slot = factored_slot(source, name);
  CHECK(!slot.empty(), "a slot is a matrix or two factors");
  return product(*source.find(slot + ".b"), *source.find(slot + ".a"));
}

std::vector<std::byte> encoded_rows(const ExportWeight& weight, const std::vector<float>& values) {
  const ModelTensor& tensor = weight.named.tensor;
  const auto elements = static_cast<std::int64_t>(values.size());
  std::vector<std::byte> bytes(static_cast<std::size_t>(stored_bytes(weight.type, elements)));
  const bool pairs = tensor.turn == Turn::kPairsToHalves;
  encode_row(weight.type, pairs ? to_pairs(tensor, values).data() : values.data(), bytes.data(),
             elements);
  return bytes;
}

void round_to_type(StoredType type, std::vector<float>& values) {
  const auto elements = static_cast<std::int64_t>(values.size());
  std::vector<std::byte> bytes(static_cast<std::size_t>(stored_bytes(type, elements)));
  encode_row(type, values.data(), bytes.data(), elements);
  decode_row(type, bytes.data(), values.data(), elements);
}

}  // namespace lathe
