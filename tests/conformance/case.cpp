// Names and values of cases.
#include "tests/conformance/case.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/rng.h"
#include "engine/quant/block_codec.h"
#include "engine/quant/half.h"
#include "engine/quant/palette_matrix.h"
#include "engine/quant/stored_matrix.h"

namespace lathe::conformance {
namespace {

// A stream of its own for each operand of a case, from its name.
std::uint64_t stream_of(const std::string& text) {
  std::uint64_t hash = 1469598103934665603u;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  }
  return hash;
}

// A matrix of spqr3 or spqr4 with anything in its parts, and an outlier in one place of eleven.
std::vector<std::byte> any_spqr(Shape shape, DType dtype, Rng& rng) {
  SpqrParts parts{.bits = spqr_bits(dtype), .rows = shape.rows(), .cols = shape.cols()};
  const auto fill = [&](std::vector<std::uint8_t>& codes, std::int64_t count, int bits) {
    for (std::int64_t i = 0; i < count; ++i) {
      codes.push_back(static_cast<std::uint8_t>(rng.next_below(std::uint64_t{1} << bits)));
    }
  };
  fill(parts.codes, shape.elements(), parts.bits);
  fill(parts.scale_codes, shape.elements() / 16, 3);
  fill(parts.zero_codes, shape.elements() / 16, 3);
  for (std::int64_t i = 0; i < shape.elements() / 256; ++i) {
    const auto half = [&](double low, double high) {
      return half_of_float(static_cast<float>(low + (high - low) * rng.next_unit()));
    };
    parts.tiles.push_back({half(0.001, 0.002), half(-9, -1), half(0.2, 0.8), half(-3, 3)});
  }
  parts.outliers.resize(static_cast<std::size_t>(shape.rows()));
  for (auto& row : parts.outliers) {
    for (std::int64_t column = 0; column < shape.cols(); ++column) {
      if (rng.next_below(11) == 0) {
        row.push_back({static_cast<std::uint16_t>(column),
                       half_of_float(static_cast<float>(rng.next_unit() - 0.5))});
      }
    }
  }
  return spqr_matrix(parts);
}

// A palette of anything: of each form another mixture of one table or several, full or not, and of
// rows with scales or without.
std::vector<std::byte> any_palette(Shape shape, DType dtype, Rng& rng) {
  const PaletteForm form = palette_form(dtype);
  const std::int64_t rows = shape.rows();
  PaletteParts parts{.bits = form.bits,
                     .dim = form.dim,
                     .rows = rows,
                     .cols = shape.cols(),
                     .rows_per_palette = form.bits % 3 == 0   ? rows
                                         : form.bits % 3 == 1 ? 1
                                         : rows % 2 == 0      ? rows / 2
                                                              : rows,
                     .clusters = (std::int64_t{1} << form.bits) - (form.bits > 2 ? form.dim : 0)};
  for (std::int64_t i = 0; i < shape.elements() / form.dim; ++i) {
    const auto bound = static_cast<std::uint64_t>(parts.clusters);
    parts.codes.push_back(static_cast<std::uint8_t>(rng.next_below(bound)));
  }
  const std::int64_t values = rows / parts.rows_per_palette * parts.clusters * form.dim;
  for (std::int64_t i = 0; i < values; ++i) {
    parts.lut.push_back(static_cast<float>(2.0 * rng.next_unit() - 1.0));
  }
  for (std::int64_t row = 0; (form.bits + form.dim) % 2 == 0 && row < rows; ++row) {
    parts.row_scales.push_back(static_cast<float>(0.25 + rng.next_unit()));
  }
  return palette_matrix(parts);
}

Operand with_tables(Shape shape, DType dtype, Rng& rng) {
  Operand made{
      .role = Role::kInput, .dtype = dtype, .shape = shape, .values = {}, .ids = {}, .stored = {}};
  made.values.resize(static_cast<std::size_t>(shape.elements()));
  if (can_encode_matrix(dtype)) {
    for (float& value : made.values) {
      value = static_cast<float>(2.0 * rng.next_unit() - 1.0);
    }
    made.stored.resize(static_cast<std::size_t>(matrix_bytes(dtype, shape.rows(), shape.cols())));
    encode_matrix(dtype, made.values.data(), shape.rows(), shape.cols(), made.stored.data());
  } else {
    made.stored =
        palette_form(dtype).bits > 0 ? any_palette(shape, dtype, rng) : any_spqr(shape, dtype, rng);
  }
  decode_matrix(stored_matrix(dtype, made.stored.data(), shape.rows(), shape.cols()),
                made.values.data());
  return made;
}

}  // namespace

std::string fill_name(Fill fill) {
  static constexpr std::array kNames{"uniform", "large", "denormal", "equal", "special"};
  return kNames[static_cast<std::size_t>(fill)];
}

double mean_size(const std::vector<float>& values) {
  double squares = 0;
  for (const float value : values) {
    squares += double(value) * double(value);
  }
  return std::sqrt(squares / std::max(1.0, double(values.size())));
}

std::vector<float> filled(Fill fill, std::int64_t count, std::uint64_t stream) {
  Rng rng(7, stream);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) {
    const double unit = 2.0 * rng.next_unit() - 1.0;
    switch (fill) {
      case Fill::kUniform:
      case Fill::kSpecial:
        value = static_cast<float>(unit);
        break;
      case Fill::kLarge:
        value = static_cast<float>(unit * 3e3);
        break;
      case Fill::kDenormal:
        value = static_cast<float>(unit * 1e-39);
        break;
      case Fill::kEqual:
        value = 0.75f;
        break;
    }
  }
  if (fill == Fill::kSpecial && !values.empty()) {
    values[rng.next_below(values.size())] = std::numeric_limits<float>::infinity();
    values[rng.next_below(values.size())] = std::numeric_limits<float>::quiet_NaN();
  }
  return values;
}

void Case::input(const std::string& operand, Shape shape, Fill fill) {
  operands[operand] = {.role = Role::kInput,
                       .dtype = DType::kF32,
                       .shape = shape,
                       .values = filled(fill, shape.elements(), stream_of(name + operand)),
                       .ids = {},
                       .stored = {}};
}

void Case::packed_input(const std::string& operand, Shape shape, DType dtype) {
  Rng rng(13, stream_of(name + operand));
  if (has_tables(dtype)) {
    operands[operand] = with_tables(shape, dtype, rng);
    return;
  }
  std::vector<std::byte> stored(static_cast<std::size_t>(size_bytes(dtype, shape.elements())));
  const DTypeLayout layout = dtype_layout(dtype);
  for (std::size_t i = 0; i < stored.size(); ++i) {
    stored[i] = static_cast<std::byte>(rng.next_below(256));
    // Where any type has the upper byte of a number of 16 bits: make it of the size of 0.01.
    const auto place = static_cast<std::int64_t>(i) % layout.block_bytes;
    if (place == 1 || (place == 3 && layout.block_elements > 1) || place == 209) {
      stored[i] = (stored[i] & std::byte{0x80}) |
                  (dtype == DType::kBf16 ? std::byte{0x3c} : std::byte{0x21});
    }
  }
  Operand made{
      .role = Role::kInput, .dtype = dtype, .shape = shape, .values = {}, .ids = {}, .stored = {}};
  made.values.resize(static_cast<std::size_t>(shape.elements()));
  decode_row(dtype, stored.data(), made.values.data(), shape.elements());
  made.stored = std::move(stored);
  operands[operand] = std::move(made);
}

void Case::in_out(const std::string& operand, Shape shape, Fill fill) {
  input(operand, shape, fill);
  operands[operand].role = Role::kInOut;
}

void Case::codes(const std::string& operand, Shape shape, int least) {
  Rng rng(17, stream_of(name + operand));
  Operand made{.role = Role::kInOut,
               .dtype = DType::kU8,
               .shape = shape,
               .values = {},
               .ids = {},
               .stored = {}};
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    const auto code =
        least + static_cast<int>(rng.next_below(static_cast<std::uint64_t>(256 - least)));
    made.stored.push_back(static_cast<std::byte>(code));
    made.values.push_back(static_cast<float>(code));
  }
  operands[operand] = std::move(made);
}

void Case::output(const std::string& operand, Shape shape, DType dtype) {
  operands[operand] = {
      .role = Role::kOutput, .dtype = dtype, .shape = shape, .values = {}, .ids = {}, .stored = {}};
}

void Case::ids(const std::string& operand, Shape shape, std::int64_t bound, bool with_ignored) {
  Rng rng(11, stream_of(name + operand));
  std::vector<std::int32_t> ids(static_cast<std::size_t>(shape.elements()));
  for (std::int32_t& id : ids) {
    id = static_cast<std::int32_t>(rng.next_below(static_cast<std::uint64_t>(bound)));
    if (with_ignored && rng.next_below(4) == 0) {
      id = -1;
    }
  }
  operands[operand] = {.role = Role::kInput,
                       .dtype = DType::kI32,
                       .shape = shape,
                       .values = {},
                       .ids = std::move(ids),
                       .stored = {}};
}

Case make_case(const std::string& op, const Parameters& parameters) {
  Case made;
  made.op = op;
  made.name = op + "(";
  for (const auto& [name, value] : parameters) {
    made.name += (made.name.back() == '(' ? "" : ",") + name + "=" + value;
  }
  made.name += ")";
  return made;
}

std::vector<std::pair<std::string, std::vector<Case>>> all_cases() {
  return {
#define OP(name, Args) {#name, name##_cases()},
#include "engine/ops/op_list.inl"
#undef OP
  };
}

}  // namespace lathe::conformance
