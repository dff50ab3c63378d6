// Guarded execution and comparison.
#include "tests/conformance/runner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <sstream>

#include "engine/quant/block_codec.h"
#include "engine/quant/stored_matrix.h"

namespace lathe::conformance {
namespace {

// What the elements before and behind each tensor hold.
constexpr std::uint32_t kGuardBits = 0x7fc0dead;

using Words = std::vector<std::uint32_t>;

std::size_t bytes_of(const Operand& operand) {
  return has_tables(operand.dtype)
             ? operand.stored.size()
             : static_cast<std::size_t>(size_bytes(operand.dtype, operand.shape.elements()));
}

Words initial_words(const Operand& operand, std::int64_t guard) {
  const std::size_t count = (bytes_of(operand) + 3) / 4;
  const auto first = static_cast<std::size_t>(guard);
  Words words(count + 2 * first, kGuardBits);
  if (is_packed(operand.dtype) || operand.dtype == DType::kU8) {
    std::copy(operand.stored.begin(), operand.stored.end(),  // there may be none
              reinterpret_cast<std::byte*>(words.data() + first));
    return words;
  }
  for (std::size_t i = 0; i < count; ++i) {
    float value = std::numeric_limits<float>::quiet_NaN();
    if (operand.dtype == DType::kI32 && operand.role != Role::kOutput) {
      std::memcpy(&words[first + i], &operand.ids[i], 4);
      continue;
    }
    if (operand.role != Role::kOutput) {
      value = operand.values[i];
    }
    std::memcpy(&words[first + i], &value, 4);
  }
  return words;
}

bool guards_hold(const Words& words, std::int64_t guard) {
  const auto is_guard = [](std::uint32_t word) { return word == kGuardBits; };
  return std::all_of(words.begin(), words.begin() + guard, is_guard) &&
         std::all_of(words.end() - guard, words.end(), is_guard);
}

// The last word of a tensor may hold less than its bytes.
bool padding_holds(const Operand& operand, const Words& before, const Words& after,
                   std::int64_t guard) {
  const std::size_t begin = 4 * static_cast<std::size_t>(guard) + bytes_of(operand);
  const auto* was = reinterpret_cast<const std::byte*>(before.data());
  const auto* is = reinterpret_cast<const std::byte*>(after.data());
  return std::equal(was + begin, was + 4 * before.size(), is + begin);
}

std::string class_name(double x) {
  return std::isnan(x) ? "NaN" : std::isinf(x) ? (x > 0 ? "inf" : "-inf") : "finite";
}

// An output as floats; a code is its number.
std::vector<float> output_values(const Operand& operand, const Words& words, std::int64_t guard) {
  std::vector<float> values(static_cast<std::size_t>(operand.shape.elements()));
  if (is_packed(operand.dtype)) {
    const Words inner(words.begin() + guard, words.end());
    decode_row(operand.dtype, reinterpret_cast<const std::byte*>(inner.data()), values.data(),
               operand.shape.elements());
  } else if (operand.dtype == DType::kU8) {
    const auto* codes = reinterpret_cast<const std::uint8_t*>(words.data() + guard);
    std::copy_n(codes, values.size(), values.begin());
  } else if (operand.dtype == DType::kI32) {
    std::transform(
        words.begin() + guard, words.end() - guard, values.begin(),
        [](std::uint32_t word) { return static_cast<float>(static_cast<std::int32_t>(word)); });
  } else if (!values.empty()) {
    std::memcpy(values.data(), words.data() + guard, values.size() * 4);
  }
  return values;
}

}  // namespace

Outcome run_case(const Case& test, Backend& backend, std::int64_t guard) {
  // Rows of blocks begin where the allocator puts tensors, or whole blocks later, and so do the
  // rows of floats that meet them.
  for (const auto& [name, operand] : test.operands) {
    guard = dtype_layout(operand.dtype).block_elements > 1 ? guard / kGuard * kGuard : guard;
  }
  std::map<std::string, Tensor> tensors;
  std::map<std::string, Words> before;
  Refs refs;
  for (const auto& [name, operand] : test.operands) {
    before[name] = initial_words(operand, guard);
    const auto words = static_cast<std::int64_t>(before[name].size());
    Tensor tensor(backend.allocator(), DType::kF32, Shape{words},
                  {.category = Category::kWorkspace, .layer = "conformance", .name = name});
    backend.write(tensor, before[name].data(), words * 4);
    TensorRef inner = tensor.ref();
    inner.data =
        tensor.ref().data == nullptr ? nullptr : static_cast<char*>(tensor.ref().data) + 4 * guard;
    inner.shape = operand.shape;
    inner.dtype = operand.dtype;
    inner.extra_bytes = extra_bytes_of(inner.dtype, inner.rows(), inner.cols(), bytes_of(operand));
    refs[name] = inner;
    tensors[name] = std::move(tensor);
  }
  Outcome outcome;
  outcome.host = test.call(backend, refs);
  backend.synchronize();
  for (const auto& [name, operand] : test.operands) {
    Words after(before[name].size());
    backend.read(tensors[name], after.data(), static_cast<std::int64_t>(after.size()) * 4);
    if (!guards_hold(after, guard)) {
      outcome.violations.push_back("wrote outside " + name);
    }
    if (operand.role == Role::kInput) {
      if (after != before[name]) {
        outcome.violations.push_back("changed its input " + name);
      }
      continue;
    }
    if (!padding_holds(operand, before[name], after, guard)) {
      outcome.violations.push_back("wrote behind the last element of " + name);
    }
    if (is_packed(operand.dtype)) {
      outcome.rounded.insert(name);
    }
    outcome.outputs[name] = output_values(operand, after, guard);
  }
  return outcome;
}

std::string difference(const std::vector<float>& got, const std::vector<double>& want,
                       const Tolerance& tolerance, double scale,
                       const std::vector<double>& leeway) {
  std::ostringstream text;
  if (got.size() != want.size()) {
    text << "has " << got.size() << " elements, not " << want.size();
    return text.str();
  }
  double error_squares = 0;
  double want_squares = 0;
  double worst = 0;
  std::size_t worst_at = 0;
  double largest = scale;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double g = got[i];
    // What the reference gives in double may lie beyond f32.
    const double w = static_cast<double>(static_cast<float>(want[i]));
    if (class_name(g) != class_name(w)) {
      text << "[" << i << "] is " << class_name(g) << ", not " << class_name(w);
      return text.str();
    }
    if (!std::isfinite(w)) {
      continue;
    }
    const double allowed = leeway.empty() ? 0.0 : leeway[i];
    const double error = std::max(0.0, std::fabs(g - want[i]) - allowed);
    error_squares += error * error;
    want_squares += want[i] * want[i];
    largest = std::max(largest, std::fabs(want[i]));
    if (error > worst) {
      worst = error;
      worst_at = i;
    }
  }
  // Below the smallest normal number, precision is absolute.
  const double floor = 8.0 * static_cast<double>(std::numeric_limits<float>::min());
  const double count = std::sqrt(static_cast<double>(std::max<std::size_t>(got.size(), 1)));
  const double norm = std::max(std::sqrt(want_squares), scale * count);
  if (worst > tolerance.worst * largest + floor) {
    text << "[" << worst_at << "] is " << got[worst_at] << ", not " << want[worst_at] << ": off by "
         << worst / largest / kEpsilon << " eps of the largest, " << tolerance.worst / kEpsilon
         << " allowed";
  } else if (std::sqrt(error_squares) > tolerance.norm * norm + floor * count) {
    text << "is off by " << std::sqrt(error_squares) / norm / kEpsilon << " eps in norm, "
         << tolerance.norm / kEpsilon << " allowed";
  }
  return text.str();
}

bool same_bits(const Outcome& a, const Outcome& b) {
  const auto same = [](const auto& x, const auto& y) {
    return x.size() == y.size() &&
           (x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof(x[0])) == 0);
  };
  return same(a.host, b.host) &&
         std::equal(a.outputs.begin(), a.outputs.end(), b.outputs.begin(), b.outputs.end(),
                    [&](const auto& x, const auto& y) { return same(x.second, y.second); });
}

Wide wide_inputs(const Case& test) {
  Wide wide;
  for (const auto& [name, operand] : test.operands) {
    if (operand.dtype == DType::kI32) {
      wide[name] = std::vector<double>(operand.ids.begin(), operand.ids.end());
    } else if (operand.role != Role::kOutput) {
      wide[name] = std::vector<double>(operand.values.begin(), operand.values.end());
    }
  }
  return wide;
}

Wide leeway_of(const Case& test) {
  return test.leeway ? test.leeway(wide_inputs(test)) : Wide{};
}

Wide reference_outcome(const Case& test) {
  const auto reference = std::move(make_backend("cpu_ref", 1)).value();
  const Outcome outcome = run_case(test, *reference);
  Wide want;
  for (const auto& [name, values] : outcome.outputs) {
    want[name] = std::vector<double>(values.begin(), values.end());
  }
  want["host"] = outcome.host;
  return want;
}

bool has_op(const Backend& backend, const std::string& op) {
#define OP(name, Args)                      \
  if (op == #name) {                        \
    return backend.table().name != nullptr; \
  }
#include "engine/ops/op_list.inl"
#undef OP
  return false;
}

void expect_no_violations(const Outcome& outcome) {
  for (const std::string& violation : outcome.violations) {
    ADD_FAILURE() << violation;
  }
}

void expect_close(const Outcome& got, const Wide& want, const Tolerance& tolerance, double scale,
                  const Wide& leeway) {
  for (const auto& [name, values] : got.outputs) {
    ASSERT_TRUE(want.contains(name)) << "no reference for " << name;
    const Tolerance allowed = got.rounded.contains(name) ? with_rounding(tolerance) : tolerance;
    const auto tipped = leeway.find(name);
    const std::string text =
        difference(values, want.at(name), allowed, scale,
                   tipped == leeway.end() ? std::vector<double>{} : tipped->second);
    EXPECT_TRUE(text.empty()) << name << " " << text;
  }
  if (!got.host.empty()) {
    const std::vector<float> host(got.host.begin(), got.host.end());
    const std::string text = difference(host, want.at("host"), tolerance, scale);
    EXPECT_TRUE(text.empty()) << "host results: " << text;
  }
}

}  // namespace lathe::conformance
