// One conformance case: an op with tensors of given shapes and values, how to call it, and, as an
// independent formula in double, what must come out. Its name is made from its parameters, so a
// failure's name is the filter that repeats it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/backend/backend.h"

namespace lathe::conformance {

// How input values are drawn.
enum class Fill { kUniform, kLarge, kDenormal, kEqual, kSpecial };
inline constexpr std::array kFills{Fill::kUniform, Fill::kLarge, Fill::kDenormal, Fill::kEqual,
                                   Fill::kSpecial};
std::string fill_name(Fill fill);
// kSpecial has a NaN and an infinity among uniform values.
std::vector<float> filled(Fill fill, std::int64_t count, std::uint64_t stream);

// Root of the mean square.
double mean_size(const std::vector<float>& values);

enum class Role { kInput, kOutput, kInOut };

struct Operand {
  Role role = Role::kInput;
  DType dtype = DType::kF32;
  Shape shape;
  std::vector<float> values;      // f32 of inputs and in-outs
  std::vector<std::int32_t> ids;  // i32 inputs
  std::vector<std::byte> stored;  // of a packed type or of codes; `values` is what they decode to
};

using Operands = std::map<std::string, Operand>;
using Refs = std::map<std::string, TensorRef>;
using Wide = std::map<std::string, std::vector<double>>;

struct Case {
  std::string op;
  std::string name;  // "matmul(m=7,n=13,k=65)"
  Operands operands;
  // Calls the op; returns what it wrote to host memory, if anything.
  std::function<std::vector<double>(Backend&, const Refs&)> call;
  // Outputs by name (host results under "host") from inputs in double.
  std::function<Wide(const Wide&)> expect;
  // Terms in the longest sum behind an output element; 1 for elementwise ops.
  std::int64_t length = 1;
  // Size of such a sum's terms taken together, where results may cancel; 0: that of the results.
  double scale = 0;
  // By output, from inputs in double: how far each element may lie off beside rounding, where that
  // may tip it over into another code. Elsewhere outputs have none.
  std::function<Wide(const Wide&)> leeway = {};

  void input(const std::string& name, Shape shape, Fill fill = Fill::kUniform);
  // Rows of random blocks of sane scales.
  void packed_input(const std::string& name, Shape shape, DType dtype);
  void in_out(const std::string& name, Shape shape, Fill fill = Fill::kUniform);
  // Random bytes, none below `least`, whose values are their numbers; in and out.
  void codes(const std::string& name, Shape shape, int least = 0);
  void output(const std::string& name, Shape shape, DType dtype = DType::kF32);
  // Values in [0, bound) or, where asked, some of -1.
  void ids(const std::string& name, Shape shape, std::int64_t bound, bool with_ignored = false);
};

using Parameters = std::vector<std::pair<std::string, std::string>>;
Case make_case(const std::string& op, const Parameters& parameters);
template <typename Number>
std::pair<std::string, std::string> param(const std::string& name, Number value) {
  return {name, std::to_string(value)};
}
inline std::pair<std::string, std::string> param(const std::string& name, Fill fill) {
  return {name, fill_name(fill)};
}

// Every op has a file of cases; an op without one does not link.
#define OP(name, Args) std::vector<Case> name##_cases();
#include "engine/ops/op_list.inl"
#undef OP
// All of them, by the op list.
std::vector<std::pair<std::string, std::vector<Case>>> all_cases();

}  // namespace lathe::conformance
