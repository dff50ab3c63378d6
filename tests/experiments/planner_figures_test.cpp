// Models of papers, planned from their configs: the sizes that the papers tell.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "experiments/predict.h"

namespace lathe::experiments {
namespace {

PlanReport planned(const std::string& config, std::int64_t rank) {
  const auto path = std::filesystem::path(LATHE_SOURCE_DIR) / "assets/configs" / (config + ".json");
  auto document = read_json_file(path.string());
  EXPECT_TRUE(document.ok()) << document.error().text();
  set_path(*document, "method.low_rank.rank", rank);
  const auto spec = run_spec_from_json(*document);
  EXPECT_TRUE(spec.ok()) << spec.error().text();
  const auto plan = plan_run(*spec, 1);
  EXPECT_TRUE(plan.ok()) << plan.error().text();
  return *plan;
}

double millions(std::int64_t count) {
  return static_cast<double>(count) / 1e6;
}

// FinGPT-HPC: GPT2-1.5B 2.64 times smaller is below 0.59 GB at 8 bits; its matrices alone are
// 1,556.6 M, biases and norms come to another million.
TEST(PlannerFigures, Gpt2AtTheCompressionOfFingptHpc) {
  const PlanReport dense = planned("gpt2_1.5b", 0);
  const std::int64_t vectors = 48 * (9 * 1600 + 4 * 1600) + 2 * 1600;
  EXPECT_NEAR(millions(dense.parameters - vectors), 1556.6, 0.05);
  EXPECT_NEAR(millions(dense.parameters), 1557.6, 0.05);
  const PlanReport small = planned("gpt2_1.5b", 367);
  EXPECT_NEAR(double(dense.parameters) / double(small.parameters), 2.64, 0.01);
  EXPECT_NEAR(millions(small.parameters) / 1e3, 0.59, 0.005) << "bytes at 8 bits";
}

// LoRD's checkpoints carry these sizes in their names.
TEST(PlannerFigures, StarcoderWithTwoFactorsForEachMlpMatrix) {
  EXPECT_NEAR(millions(planned("starcoder", 0).parameters), 15520, 20);
  EXPECT_NEAR(millions(planned("starcoder", 3584).parameters), 12250, 20);
  EXPECT_NEAR(millions(planned("starcoder", 3968).parameters), 13190, 20);
  EXPECT_NEAR(millions(planned("starcoder", 4480).parameters), 14450, 20);
  const PlanReport even = planned("starcoder", 4915);
  EXPECT_NEAR(double(even.parameters) / double(even.dense_parameters), 1, 1e-3);
}

}  // namespace
}  // namespace lathe::experiments
