// Attention on the simulation's tensor cores, factors rounded to tf32 and to bf16: close to cpu_ref
// by what rounding allows, the same bits in both orders of turns. NaNs, in all precisions. And
// devices whose blocks have little shared memory, for which the tiles of wide heads are smaller.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "engine/backend/simt/simt_backend.h"
#include "tests/conformance/runner.h"

namespace lathe::conformance {
namespace {

class RoundedTest : public testing::Test {
 public:
  RoundedTest(Case test, ProductPrecision products, std::size_t shared_bytes)
      : case_(std::move(test)), products_(products), shared_bytes_(shared_bytes) {}
  void TestBody() override {
    const Wide want = reference_outcome(case_);
    // Results are sums whose terms are of size 1 in these cases, or larger by scale.
    const double scale = std::max(case_.scale, 1.0);
    std::vector<Outcome> outcomes;
    for (const auto turns : {simt::Turns::kAscending, simt::Turns::kDescending}) {
      SimtBackend backend(turns, products_, shared_bytes_);
      outcomes.push_back(run_case(case_, backend));
      expect_no_violations(outcomes.back());
      expect_close(outcomes.back(), want, tolerance(), scale);
      EXPECT_TRUE(same_bits(outcomes.back(), outcomes.front())) << "bits differ between runs";
    }
  }

 private:
  Tolerance tolerance() const {
    return products_ == ProductPrecision::kF32 ? single_tolerance(case_.length)
                                               : rounded_tolerance(products_);
  }

  Case case_;
  ProductPrecision products_;
  std::size_t shared_bytes_;
};

void add_test(const Case& test, ProductPrecision products,
              std::size_t shared_bytes = SimtBackend::kSharedBytes) {
  const bool least = shared_bytes == GpuBackend::kLeastSharedBytes;
  const std::string suite = std::string(enum_name(products)) + (least ? "_least_shared" : "");
  testing::RegisterTest(suite.c_str(), test.name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                        [test, products, shared_bytes]() -> testing::Test* {
                          return new RoundedTest(test, products, shared_bytes);
                        });
}

// A NaN in one query and one in a key: all results of rows that see one are NaN, no others.
Case with_nan(Case test) {
  test.name += ",nan";
  std::vector<float>& k = test.operands["k"].values;
  std::vector<float>& q = test.operands["q"].values;
  k[k.size() * 4 / 7] = std::numeric_limits<float>::quiet_NaN();
  q[q.size() / 5] = std::numeric_limits<float>::quiet_NaN();
  return test;
}

}  // namespace
}  // namespace lathe::conformance

int main(int argc, char** argv) {
  using namespace lathe;
  const auto by_op = conformance::all_cases();
  for (const ProductPrecision products :
       {ProductPrecision::kF32, ProductPrecision::kTf32, ProductPrecision::kBf16}) {
    for (const auto& [op, cases] : by_op) {
      for (const conformance::Case& test : cases) {
        if (op.starts_with("attention") && products != ProductPrecision::kF32) {
          conformance::add_test(test, products);
        }
        if (op.starts_with("attention")) {
          conformance::add_test(test, products, GpuBackend::kLeastSharedBytes);
        }
        if (op == "attention_forward") {
          conformance::add_test(conformance::with_nan(test), products);
        }
      }
    }
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
