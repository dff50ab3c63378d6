// Every case against cpu_ref on each back end: same bits each time, between guards or not. Once
// more with tensors at odd addresses, where kernels that move several elements at a time must not.
#include "tests/device/device_conformance.h"

#include <gtest/gtest.h>

#include "tests/conformance/runner.h"

namespace lathe::conformance {
namespace {

class DeviceTest : public testing::Test {
 public:
  DeviceTest(const Case& test, const std::vector<Backend*>& backends)
      : case_(test), backends_(backends) {}
  void TestBody() override {
    const Wide want = reference_outcome(case_);
    const Tolerance tolerance = single_tolerance(case_.length);
    const Wide allowed = leeway_of(case_);
    std::vector<Outcome> outcomes;
    for (Backend* const backend : backends_) {
      const std::int64_t held = backend->ledger().live().live_bytes;
      outcomes.push_back(run_case(case_, *backend, outcomes.empty() ? kGuard : kNoGuard));
      expect_no_violations(outcomes.back());
      expect_close(outcomes.back(), want, tolerance, case_.scale, allowed);
      EXPECT_TRUE(same_bits(outcomes.back(), outcomes.front())) << "bits differ between runs";
      EXPECT_EQ(backend->ledger().live().live_bytes, held);
    }
    const Outcome unaligned = run_case(case_, *backends_.front(), kUnalignedGuard);
    expect_no_violations(unaligned);
    expect_close(unaligned, want, tolerance, case_.scale, allowed);
  }

 private:
  const Case& case_;
  const std::vector<Backend*>& backends_;
};

}  // namespace

int run_device_suite(int argc, char** argv, const std::string& suite,
                     const std::vector<Backend*>& backends) {
  const auto by_op = all_cases();
  for (const auto& [op, cases] : by_op) {
    for (const Case& test : cases) {
      testing::RegisterTest(
          suite.c_str(), test.name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
          [&test, &backends]() -> testing::Test* { return new DeviceTest(test, backends); });
    }
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}

}  // namespace lathe::conformance
