// Every case against cpu_ref, twice on each back end: same bits each time.
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
    Outcome first;
    for (Backend* const backend : backends_) {
      const std::int64_t held = backend->ledger().live().live_bytes;
      for (const bool again : {false, true}) {
        const Outcome outcome = run_case(case_, *backend);
        expect_no_violations(outcome);
        expect_close(outcome, want, tolerance, case_.scale);
        if (backend == backends_.front() && !again) {
          first = outcome;
        }
        EXPECT_TRUE(same_bits(outcome, first)) << "bits differ between runs";
      }
      EXPECT_EQ(backend->ledger().live().live_bytes, held);
    }
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
