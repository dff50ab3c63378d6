// A store in a folder of its own, and short ways to make events.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "storage/run_catalog.h"
#include "storage/run_store.h"

namespace lathe::storage {

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() /
              ("lathe_" + std::string(test->name()) + "_" + std::to_string(getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    file_ = (folder_ / "store.db").string();
  }
  ~StoreTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::unique_ptr<RunStore> store() {
    auto opened = open_store(file_);
    EXPECT_TRUE(opened.ok()) << opened.error().text();
    return std::move(*opened);
  }
  std::unique_ptr<RunCatalog> catalog() {
    auto opened = open_catalog(file_);
    EXPECT_TRUE(opened.ok()) << opened.error().text();
    return std::move(*opened);
  }

  std::filesystem::path folder_;
  std::string file_;
};

// The value of a result, or a failed test and an empty value.
template <typename T>
T value_of(Result<T> result) {
  EXPECT_TRUE(result.ok()) << result.error().text();
  return result.ok() ? std::move(*result) : T{};
}

inline void expect_ok(const Result<void>& result) {
  EXPECT_TRUE(result.ok()) << result.error().text();
}

inline experiments::RunCreated created(const std::string& run, const std::string& name = "r16") {
  experiments::RunCreated event;
  event.run = run;
  event.name = name;
  event.spec = Json{{"name", name}, {"train", {{"seed", 3}}}};
  event.kind = "train";
  return event;
}

inline experiments::RunStarted started(const std::string& run, std::int64_t attempt = 1,
                                       std::int64_t from_step = 0) {
  experiments::RunStarted event;
  event.run = run;
  event.attempt = attempt;
  event.from_step = from_step;
  event.total_steps = 100;
  event.environment = Json{{"cpu", "test"}};
  event.data_digest = "d1";
  return event;
}

inline experiments::MetricBatch point(const std::string& run, const std::string& metric,
                                      std::int64_t step, double value) {
  return {run, {{metric, step, value, 1000 + step}}};
}

}  // namespace lathe::storage
