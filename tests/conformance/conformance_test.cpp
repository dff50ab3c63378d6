// Registers every case for every back end that has values: cpu_ref against the formulas, cpu
// against cpu_ref at one, two and four threads. Run one: --gtest_filter='*.matmul(m=7,n=13,k=65*'.
#include <gtest/gtest.h>

#include "tests/conformance/runner.h"

namespace lathe::conformance {
namespace {

std::unique_ptr<Backend> backend_of(const std::string& device, int threads) {
  return std::move(make_backend(device, threads)).value();
}

class ReferenceTest : public testing::Test {
 public:
  explicit ReferenceTest(const Case& test) : case_(test) {}
  void TestBody() override {
    const auto backend = backend_of("cpu_ref", 1);
    const Outcome outcome = run_case(case_, *backend);
    expect_no_violations(outcome);
    expect_close(outcome, case_.expect(wide_inputs(case_)), reference_tolerance(), case_.scale,
                 leeway_of(case_));
    EXPECT_TRUE(same_bits(outcome, run_case(case_, *backend)));
    EXPECT_EQ(backend->ledger().live().live_bytes, 0);
  }

 private:
  const Case& case_;
};

class FastTest : public testing::Test {
 public:
  explicit FastTest(const Case& test) : case_(test) {}
  void TestBody() override {
    const Wide want = reference_outcome(case_);
    Outcome single;
    for (const int threads : {1, 2, 4}) {
      SCOPED_TRACE(std::to_string(threads) + " threads");
      const auto backend = backend_of("cpu", threads);
      if (!has_op(*backend, case_.op)) {
        GTEST_SKIP() << "cpu has no " << case_.op;
      }
      const Outcome outcome = run_case(case_, *backend);
      expect_no_violations(outcome);
      expect_close(outcome, want, single_tolerance(case_.length), case_.scale, leeway_of(case_));
      EXPECT_TRUE(same_bits(outcome, run_case(case_, *backend))) << "two runs differ";
      if (threads == 1) {
        single = outcome;
      } else if (case_.op != "matmul") {
        EXPECT_TRUE(same_bits(outcome, single)) << "bits depend on the number of threads";
      }
    }
  }

 private:
  const Case& case_;
};

TEST(Completeness, EveryOpHasCases) {
  for (const auto& [op, cases] : all_cases()) {
    EXPECT_FALSE(cases.empty()) << op;
  }
}

TEST(Completeness, NamesOfCasesAreUnique) {
  std::vector<std::string> names;
  for (const auto& [op, cases] : all_cases()) {
    for (const Case& test : cases) {
      EXPECT_EQ(std::count(names.begin(), names.end(), test.name), 0) << test.name;
      names.push_back(test.name);
    }
  }
}

// The same ops leave the same ledger on meta as on cpu.
TEST(Meta, CountsLikeCpu) {
  const auto meta = backend_of("meta", 2);
  const auto cpu = backend_of("cpu", 2);
  for (Backend* backend : {meta.get(), cpu.get()}) {
    for (const auto& [op, cases] : all_cases()) {
      backend->ledger().set_phase(op);
      run_case(cases.front(), *backend);
    }
  }
  EXPECT_EQ(meta->ledger().peak().live_bytes, cpu->ledger().peak().live_bytes);
  EXPECT_EQ(meta->ledger().peak_phase(), cpu->ledger().peak_phase());
  EXPECT_EQ(meta->counters().calls, cpu->counters().calls);
  EXPECT_EQ(meta->counters().total_flops(), cpu->counters().total_flops());
  EXPECT_EQ(meta->allocator().pool_bytes(), 0);
}

}  // namespace

void register_cases(const std::vector<std::pair<std::string, std::vector<Case>>>& by_op) {
  for (const auto& [op, cases] : by_op) {
    for (const Case& test : cases) {
      testing::RegisterTest("cpu_ref", test.name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                            [&test]() -> testing::Test* { return new ReferenceTest(test); });
      testing::RegisterTest("cpu", test.name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                            [&test]() -> testing::Test* { return new FastTest(test); });
    }
  }
}

}  // namespace lathe::conformance

int main(int argc, char** argv) {
  const auto cases = lathe::conformance::all_cases();
  lathe::conformance::register_cases(cases);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
