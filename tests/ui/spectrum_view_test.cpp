// What the Spectrum panel shows: documents, the map of layers, lines of a layer, measured points.
#include "ui/model/spectrum_view.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/ui/fake_models.h"

namespace lathe::ui::testing {
namespace {

namespace ex = experiments;

ex::RankPlan plan_of(const ModelSpectrum& spectrum, const SpectrumForm& form) {
  auto plan = ex::plan_ranks(spectrum, choice_of(form, spectrum), 2);
  EXPECT_TRUE(plan.ok()) << plan.error().text();
  return *plan;
}

TEST(SpectrumView, TheLookIsWhatTheVerbTakesByDefault) {
  const Json look = look_of({});
  EXPECT_EQ(look["solver"], "affine");
  EXPECT_EQ(look["target"], "all");
  EXPECT_EQ(look["calibration"], (Json{{"samples", 128}, {"seq_len", 0}}));
  EXPECT_FALSE(look.contains("data"));
  SpectrumForm form;
  form.data = "/data/c4.txt";
  EXPECT_EQ(look_of(form)["data"], (Json{{"path", "/data/c4.txt"}}));
}

TEST(SpectrumView, AChoiceNamesOneRuleAsItIsShown) {
  const auto spectrum = some_spectrum("tiny", 2);
  SpectrumForm form;
  form.rule = 3;
  form.values[3] = 0.987f;  // 0.98699998... as a float
  form.multiple = 0;
  const Json choice = choice_of(form, *spectrum);
  EXPECT_EQ(choice["energy"], 0.987);
  EXPECT_EQ(choice["budget"], 0);
  EXPECT_EQ(choice["multiple"], 1);
  EXPECT_EQ(choice["heldout_windows"], 32);
  EXPECT_EQ(choice["calibration"], spectrum->spec["calibration"]);
}

TEST(SpectrumView, TheMapHasARowPerTypeAndAColumnPerBlock) {
  const auto spectrum = some_spectrum("tiny", 3);
  const HeatMap none = heat_map(*spectrum, nullptr, HeatKind::kKept);
  EXPECT_EQ(none.rows, (std::vector<std::string>{"q", "k", "v", "o", "gate", "up", "down"}));
  EXPECT_EQ(none.columns, 3);
  EXPECT_TRUE(std::isnan(none.values[none.at(0, 0)]));
  const ex::RankPlan plan = plan_of(*spectrum, {});
  const HeatMap kept = heat_map(*spectrum, &plan, HeatKind::kKept);
  const std::size_t down = kept.at(6, 2);
  ASSERT_EQ(kept.layers[down], 20);
  EXPECT_EQ(spectrum->layers[20].slot.name, "layers.2.mlp.down");
  EXPECT_DOUBLE_EQ(kept.values[down], 1 - plan.layers[20].error_share.value());
  EXPECT_EQ(kept.struck[down], plan.layers[20].rank == 0);
  EXPECT_LE(kept.lowest, *std::min_element(kept.values.begin(), kept.values.end()));
  // Later blocks decay faster, and so need fewer directions.
  const HeatMap decay = heat_map(*spectrum, nullptr, HeatKind::kDecay);
  EXPECT_GT(decay.values[decay.at(0, 0)], decay.values[decay.at(0, 2)]);
}

TEST(SpectrumView, AModelWithoutGatesHasNoRowForThem) {
  auto spectrum = *some_spectrum("tiny", 2);
  std::erase_if(spectrum.layers,
                [](const auto& layer) { return layer.slot.name.ends_with("gate"); });
  const HeatMap map = heat_map(spectrum, nullptr, HeatKind::kDecay);
  EXPECT_EQ(map.rows, (std::vector<std::string>{"q", "k", "v", "o", "up", "down"}));
  EXPECT_EQ(map.layers[map.at(4, 0)], 4);
}

TEST(SpectrumView, DirectionsThatKeepAShare) {
  const LayerSpectrum spectrum{{8, 1, 1, 0}, {10, 2, 1, 0, 0}};
  EXPECT_EQ(directions_keeping(spectrum, 0.79), 1);
  EXPECT_EQ(directions_keeping(spectrum, 0.85), 2);
  EXPECT_EQ(directions_keeping(spectrum, 1), 3);
  EXPECT_EQ(singular_values(spectrum).size(), 3U);
  EXPECT_DOUBLE_EQ(singular_values(spectrum)[0], std::sqrt(8.0));
}

TEST(SpectrumView, ALayerTellsItsRankOrWhyItStaysDense) {
  const auto spectrum = some_spectrum("tiny", 2);
  SpectrumForm form;
  form.rule = 2;  // the same share of each smaller side
  form.values[2] = 0.25f;
  const ex::RankPlan plan = plan_of(*spectrum, form);
  const auto lines = layer_lines(*spectrum, &plan, 0);
  EXPECT_EQ(lines[0], "layers.0.attention.q");
  EXPECT_EQ(lines[1], "64 x 64, break-even at rank 31");
  EXPECT_EQ(lines[3], "rank 16 of 64");
  EXPECT_EQ(lines[5], "4.10 k -> 2.05 k parameters (-50.00 %)");
  form.values[2] = 1;
  const ex::RankPlan dense = plan_of(*spectrum, form);
  const auto why = layer_lines(*spectrum, &dense, 0);
  EXPECT_EQ(why[3], "stays dense, 4.10 k parameters");
  EXPECT_NE(why[4].find("saves nothing"), std::string::npos) << why[4];
}

RunRow measured_run(const std::string& name, double params, double perplexity, double dense,
                    std::int64_t created) {
  RunRow row;
  row.id = name;
  row.name = name;
  row.kind = "compress";
  row.state = RunState::kDone;
  row.created_ms = created;
  row.last = {{"model/params", params},
              {"eval/ppl", perplexity},
              {"compress/ppl_rise", perplexity / dense - 1}};
  return row;
}

TEST(SpectrumView, PointsAreOfThisModelAndOfOneText) {
  std::vector<RunRow> rows{measured_run("tiny affine budget=0.8", 80, 22, 20, 3),
                           measured_run("tiny affine budget=0.6", 60, 30, 20, 2),
                           measured_run("tiny affine budget=0.7", 70, 99, 50, 1),  // other text
                           measured_run("tinier affine budget=0.5", 5, 9, 20, 4)};
  rows.push_back(measured_run("tiny affine budget=0.9", 90, 21, 20, 5));
  rows.back().trashed = true;
  const MeasuredPoints measured = measured_points(rows, "tiny");
  EXPECT_NEAR(measured.dense_perplexity, 20, 1e-9);
  ASSERT_EQ(measured.points.size(), 2U);
  EXPECT_EQ(measured.points[0].name, "affine budget=0.6");
  EXPECT_EQ(measured.points[1].params, 80);
  EXPECT_TRUE(measured_points({}, "tiny").points.empty());
}

TEST(SpectrumView, AMeasurementBelongsToItsChoice) {
  std::vector<RunRow> rows{measured_run("tiny affine budget=0.8", 80, 22, 20, 1)};
  EXPECT_EQ(measurement_of(rows, "tiny", {{"budget", 0.8}}), nullptr);  // its spec is not read yet
  rows[0].spec = std::make_shared<const Json>(Json{{"compress", {{"budget", 0.8}, {"rank", 0}}}});
  EXPECT_EQ(measurement_of(rows, "tiny", {{"budget", 0.8}, {"rank", 0.0}}), &rows[0]);
  EXPECT_EQ(measurement_of(rows, "tiny", {{"budget", 0.7}, {"rank", 0}}), nullptr);
  EXPECT_EQ(measurement_of(rows, "other", {{"budget", 0.8}, {"rank", 0}}), nullptr);
  rows[0].state = RunState::kFailed;
  EXPECT_EQ(measurement_of(rows, "tiny", {{"budget", 0.8}, {"rank", 0}}), nullptr);
}

}  // namespace
}  // namespace lathe::ui::testing
