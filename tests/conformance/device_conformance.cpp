// Every case against cpu_ref, twice on each back end: same bits each time.
#include "tests/conformance/device_conformance.h"

#include <gtest/gtest.h>

#include "tests/conformance/runner.h"

namespace lathe::conformance {
namespace {

class DeviceTest : public testing::Test {
 public:
  DeviceTest(const Case& test, const DeviceBackends& backends) : case_(test), backends_(backends) {}
  void TestBody() override {
    const Wide want = reference_outcome(case_);
    std::vector<Outcome> outcomes;
    for (const auto& backend : backends_()) {
      ASSERT_TRUE(has_op(*backend, case_.op)) << backend->info().name << " has no " << case_.op;
      const std::int64_t held = backend->ledger().live().live_bytes;
      outcomes.push_back(run_case(case_, *backend));
      expect_no_violations(outcomes.back());
      expect_close(outcomes.back(), want, single_tolerance(case_.length), case_.scale);
      EXPECT_TRUE(same_bits(outcomes.back(), outcomes.front())) << "bits differ between runs";
      EXPECT_EQ(backend->ledger().live().live_bytes, held);
    }
  }

 private:
  const Case& case_;
  const DeviceBackends& backends_;
};

}  // namespace

int run_device_suite(int argc, char** argv, const std::string& suite,
                     const DeviceBackends& backends) {
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
