// Products with stored weights side by side: matrices and factors mixed, one row and several.
#include <algorithm>
#include <cmath>

#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

constexpr std::int64_t kIn = 96;

struct Member {
  std::int64_t out;
  std::int64_t rank = 0;  // 0: one matrix
};

struct Group {
  DType dtype;
  std::int64_t rows;
  std::vector<Member> members;
};

// x W^T of x [rows, in], W [out, in].
std::vector<double> times(const std::vector<double>& x, const std::vector<double>& w,
                          std::size_t rows, std::size_t in) {
  const std::size_t out = w.size() / in;
  std::vector<double> y(rows * out);
  for (std::size_t n = 0; n < rows; ++n) {
    for (std::size_t o = 0; o < out; ++o) {
      for (std::size_t i = 0; i < in; ++i) {
        y[n * out + o] += x[n * in + i] * w[o * in + i];
      }
    }
  }
  return y;
}

std::string text_of(const std::vector<Member>& members) {
  std::string text;
  for (const Member& member : members) {
    text.append(text.empty() ? "" : "_").append(std::to_string(member.out));
    text.append(member.rank > 0 ? "r" : "")
        .append(member.rank > 0 ? std::to_string(member.rank) : "");
  }
  return text;
}

Case group_case(const Group& group) {
  Case test = make_case("packed_group", {{"w", std::string(dtype_name(group.dtype))},
                                         param("rows", group.rows),
                                         {"outs", text_of(group.members)}});
  test.input("x", Shape{group.rows, kIn});
  test.length = kIn;
  for (std::size_t i = 0; i < group.members.size(); ++i) {
    const Member& member = group.members[i];
    const std::string at = std::to_string(i);
    const bool factored = member.rank > 0;
    test.packed_input("first" + at, Shape{factored ? member.rank : member.out, kIn}, group.dtype);
    if (factored) {
      test.packed_input("second" + at, Shape{member.out, member.rank}, group.dtype);
      test.output("hidden" + at, Shape{group.rows, member.rank});
      test.length = kIn + member.rank;
    }
    test.output("y" + at, Shape{group.rows, member.out});
    double size = mean_size(test.operands.at("first" + at).values) * std::sqrt(double(kIn)) / 2;
    test.scale = std::max(test.scale, size);
    if (factored) {  // a sum of hidden values, which are sums themselves
      size *= mean_size(test.operands.at("second" + at).values) * std::sqrt(double(member.rank));
      test.scale = std::max(test.scale, size);
    }
  }
  test.call = [group](Backend& backend, const Refs& t) -> std::vector<double> {
    PackedGroupArgs args{.x = t.at("x")};
    for (const Member& member : group.members) {
      const std::string at = std::to_string(args.count);
      PackedProduct& product = args.products[static_cast<std::size_t>(args.count++)];
      product.first = t.at("first" + at);
      product.y = t.at("y" + at);
      if (member.rank > 0) {
        product.second = t.at("second" + at);
        product.hidden = t.at("hidden" + at);
      }
    }
    ops::packed_group(backend, args);
    return {};
  };
  test.expect = [group](const Wide& in) {
    const auto rows = static_cast<std::size_t>(group.rows);
    Wide out;
    for (std::size_t i = 0; i < group.members.size(); ++i) {
      const std::string at = std::to_string(i);
      std::vector<double> y =
          times(in.at("x"), in.at("first" + at), rows, static_cast<std::size_t>(kIn));
      if (const auto rank = static_cast<std::size_t>(group.members[i].rank); rank > 0) {
        out["hidden" + at] = y;
        y = times(y, in.at("second" + at), rows, rank);
      }
      out["y" + at] = std::move(y);
    }
    return out;
  };
  return test;
}

}  // namespace

std::vector<Case> packed_group_cases() {
  std::vector<Case> cases;
  for (const DType dtype : {DType::kF16, DType::kBf16, DType::kQ8_0, DType::kQ4_1,
                            palette_dtype(4, 1), palette_dtype(3, 2)}) {
    for (const std::int64_t rows : {1, 4}) {
      cases.push_back(group_case({dtype, rows, {{67}, {33}, {5}}}));
      cases.push_back(group_case({dtype, rows, {{67, 32}, {130}, {40, 64}}}));
    }
  }
  // Ranks that end within a block, a group large enough for threads, one member, no row.
  cases.push_back(group_case({DType::kF16, 1, {{300, 43}, {200, 1}}}));
  cases.push_back(group_case({DType::kBf16, 3, {{90, 17}}}));
  cases.push_back(group_case({DType::kF16, 0, {{8, 4}, {9}}}));
  return cases;
}

}  // namespace lathe::conformance
