// What the Quantization panel shows: documents, the map of layers, lines of a layer, measured
// points.
#include "ui/model/quant_view.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "tests/ui/fake_models.h"

namespace lathe::ui::testing {
namespace {

namespace ex = experiments;

TEST(QuantView, TypesTellWhatTheyLeaveToBeChosen) {
  const auto probe = some_probe("tiny", 2);
  EXPECT_EQ(types_of(*probe), (std::vector<std::string>{"nf4", "int"}));
  EXPECT_EQ(swept_type(*probe), "int");
  EXPECT_EQ(bits_of(*probe, "int"), (std::array{2, 8}));
  EXPECT_EQ(bits_of(*probe, "nf4"), (std::array{0, 0}));
  EXPECT_EQ(groups_of(*probe, "int"), (std::vector<std::int64_t>{32, 64, 128}));
  EXPECT_TRUE(groups_of(*probe, "nf4").empty());
  EXPECT_EQ(type_title("int"), "Integers");
  EXPECT_EQ(type_title("later"), "later") << "one that has no words yet";
}

TEST(QuantView, AChoiceIsWhatTheVerbTakes) {
  const auto probe = some_probe("tiny", 2);
  QuantForm form;
  form.bits = 3;
  form.group = 32;
  form.rounding = 1;
  form.target = 2;
  const Json choice = quant_choice_of(form, *probe);
  EXPECT_EQ(choice["quant"],
            (Json{{"type", "int"}, {"bits", 3}, {"group", 32}, {"rounding", "gptq"}}));
  EXPECT_EQ(choice["target"], "mlp");
  EXPECT_EQ(choice["decompose"], false);
  EXPECT_EQ(choice["heldout_windows"], 32);
  auto without = *probe;
  without.options[option_of(form, *probe)].gptq = false;
  EXPECT_EQ(quant_choice_of(form, without)["quant"]["rounding"], "nearest") << "it knows no GPTQ";
  form.type = "nf4";
  EXPECT_EQ(quant_choice_of(form, *probe)["quant"],
            (Json{{"type", "nf4"}, {"bits", 4}, {"group", 64}, {"rounding", "gptq"}}));
}

TEST(QuantView, AListHoldsEveryBitsOfEveryGroup) {
  const auto probe = some_probe("tiny", 2);
  QuantForm form;
  form.target = 1;  // attention: rows of 64
  form.list = {.from = 3, .to = 5, .groups = {32, 64}, .fixed_types = true};
  const std::vector<Json> choices = quant_choices_of(form, *probe);
  ASSERT_EQ(choices.size(), 7U);
  EXPECT_EQ(choices[0]["quant"]["type"], "nf4");
  EXPECT_EQ(choices[1]["quant"]["bits"], 3);
  EXPECT_EQ(choices[1]["quant"]["group"], 32);
  EXPECT_EQ(choices[6]["quant"]["bits"], 5);
  EXPECT_EQ(choices[6]["quant"]["group"], 64);
  form.list.groups = {32, 128};
  EXPECT_EQ(quant_choices_of(form, *probe).size(), 4U) << "no rows are whole groups of 128";
  form.list = {.from = 2, .to = 8, .groups = {}, .fixed_types = false};
  EXPECT_EQ(quant_choices_of(form, *probe).size(), 7U) << "of the form's group";
  form.list.to = 1;
  EXPECT_TRUE(quant_choices_of(form, *probe).empty());
}

TEST(QuantView, TheMapShowsErrorsAndStrikesWhatStays) {
  const auto probe = some_probe("tiny", 30);
  QuantForm form;
  const std::size_t option = option_of(form, *probe);
  EXPECT_EQ(probe->options[option].name, "int4_g64");
  const QuantPlan plan = plan_quant(*probe, option, "all");
  const HeatMap map = quant_map(*probe, plan, option, QuantHeat::kError);
  EXPECT_EQ(map.rows, (std::vector<std::string>{"q", "k", "v", "o", "gate", "up", "down"}));
  EXPECT_EQ(map.columns, 30);
  EXPECT_DOUBLE_EQ(map.values[map.at(0, 10)], 2.0 / 256);
  EXPECT_TRUE(map.struck[map.at(6, 0)]) << "rows of 96";
  EXPECT_FALSE(map.struck[map.at(5, 0)]);
  EXPECT_DOUBLE_EQ(map.lowest, 1.0 / 256);
  EXPECT_DOUBLE_EQ(map.highest, 3.9 / 256);
  EXPECT_FALSE(map.logarithmic);
  const HeatMap outliers = quant_map(*probe, plan, option, QuantHeat::kOutliers);
  EXPECT_FALSE(outliers.struck[outliers.at(6, 0)]) << "they are told of what stays too";
  EXPECT_TRUE(outliers.logarithmic);
  EXPECT_DOUBLE_EQ(outliers.share(outliers.lowest), 0);
  EXPECT_DOUBLE_EQ(outliers.share(outliers.highest), 1);
  EXPECT_NEAR(outliers.share(std::sqrt(outliers.lowest * outliers.highest)), 0.5, 1e-12);
}

TEST(QuantView, FactorsHaveRowsOfTheirOwn) {
  const HeatMap map = empty_map({"layers.0.attention.q.a", "layers.0.attention.q.b",
                                 "layers.1.attention.q", "layers.1.mlp.down", "head"},
                                2);
  EXPECT_EQ(map.rows, (std::vector<std::string>{"q", "q.a", "q.b", "down"}));
  EXPECT_EQ(map.layers[map.at(0, 0)], -1);
  EXPECT_EQ(map.layers[map.at(1, 0)], 0);
  EXPECT_EQ(map.layers[map.at(2, 0)], 1);
  EXPECT_EQ(map.layers[map.at(0, 1)], 2);
  EXPECT_EQ(map.layers[map.at(3, 1)], 3);
}

TEST(QuantView, ALayerTellsWhatItLosesOrWhyItStays) {
  const auto probe = some_probe("tiny", 2);
  const std::size_t option = option_of({}, *probe);
  const QuantPlan plan = plan_quant(*probe, option, "all");
  const auto lines = quant_layer_lines(*probe, plan, option, 7);
  EXPECT_EQ(lines[0], "layers.1.attention.q, 64 x 64");
  EXPECT_EQ(lines[1], "error 0.43 %, 4.50 bits a weight, 2.25 KiB of 8.00 KiB");
  EXPECT_EQ(lines[2], "outliers: 2 (0.0488 %) above 4 σ of their row, the largest 6.0 σ");
  EXPECT_EQ(quant_layer_lines(*probe, plan, option, 6)[1],
            "stays as it is, 12.0 KiB: rows of 96 are not whole groups of 64");
  EXPECT_EQ(refused_text(*probe, plan, option),
            "2 layers from layers.0.mlp.down on stay as they are: rows of 96 are not whole groups "
            "of 64");
  const QuantPlan attention = plan_quant(*probe, option, "attention");
  EXPECT_EQ(refused_text(*probe, attention, option), "");
  EXPECT_EQ(quant_layer_lines(*probe, attention, option, 4)[1],
            "stays as it is, 8.00 KiB: not among the layers");
}

TEST(QuantView, CurvesAreSharesOfALayersWeights) {
  const auto probe = some_probe("tiny", 1);
  const std::size_t option = option_of({}, *probe);
  const LevelCurves curves = level_curves(*probe, option, 0);
  ASSERT_EQ(curves.places.size(), 64U);
  EXPECT_DOUBLE_EQ(curves.places.front(), -1 + 1.0 / 64);
  ASSERT_EQ(curves.uses.size(), 16U);
  EXPECT_DOUBLE_EQ(curves.uses[3], 1.0 / 16);
  EXPECT_EQ(curves.levels.back(), 1);
  EXPECT_NEAR(std::accumulate(curves.weights.begin(), curves.weights.end(), 0.0), 1, 0.05);
  EXPECT_TRUE(level_curves(*probe, option, 6).places.empty()) << "it is not rounded";
}

TEST(QuantView, SpqrTellsWhatIsKeptBesideTheCodes) {
  auto probe = *some_probe("tiny", 1);
  for (const std::int64_t bits : {3, 4}) {
    probe.options.push_back({.name = "spqr" + std::to_string(bits),
                             .type = "spqr",
                             .bits = bits,
                             .outliers = true,
                             .block_elements = 64,
                             .levels = {}});
    for (QuantLayer& layer : probe.layers) {
      RoundStatistics rounded;
      rounded.bytes = layer.out * layer.in * bits / 8 + 4 * 100;
      rounded.error_share = 0.004;
      rounded.kept = 100;
      rounded.kept_columns.assign(64, 0);
      rounded.kept_columns[5] = 90;
      rounded.kept_columns[60] = 10;
      layer.statistics.types.emplace_back(rounded);
    }
  }
  QuantForm form;
  form.type = "spqr";
  form.bits = 7;
  const std::size_t option = option_of(form, probe);
  EXPECT_EQ(probe.options[option].name, "spqr4") << "the nearest that it has";
  EXPECT_EQ(quant_choice_of(form, probe)["quant"],
            (Json{{"type", "spqr"}, {"bits", 4}, {"group", 64}, {"rounding", "nearest"}}));
  const QuantPlan plan = plan_quant(probe, option, "all");
  const auto lines = quant_layer_lines(probe, plan, option, 0);
  EXPECT_EQ(lines[1], "error 0.4 %, 4.78 bits a weight, 2.39 KiB of 8.00 KiB");
  EXPECT_EQ(lines[2],
            "100 weights (2.44 %) beside the codes, of inputs taken for equal; 100 % of them in 11 "
            "% of the columns");
  const LevelCurves curves = level_curves(probe, option, 0);
  ASSERT_EQ(curves.kept.size(), 64U);
  EXPECT_DOUBLE_EQ(curves.kept[5], 90.0 / 64);  // of the 64 weights of a part
  EXPECT_TRUE(curves.weights.empty());
  form.type = "int";
  form.bits = 4;
  for (const Json& choice : quant_choices_of(form, probe)) {
    EXPECT_NE(choice["quant"]["type"], "spqr") << "lists go over bits of one type";
  }
}

RunRow measured_run(const std::string& name, double bits, double perplexity, double dense,
                    std::int64_t created) {
  RunRow row;
  row.id = name;
  row.name = name;
  row.kind = "compress";
  row.state = RunState::kDone;
  row.created_ms = created;
  row.last = {{"compress/bits", bits},
              {"model/stored_bytes", 1e6 * bits},
              {"eval/ppl", perplexity},
              {"compress/ppl_rise", perplexity / dense - 1}};
  return row;
}

TEST(QuantView, PointsAreOfThisModelOfOneTextAndInSeries) {
  std::vector<RunRow> rows{measured_run("tiny int4_g64 nearest", 4.5, 22, 20, 3),
                           measured_run("tiny nf4 nearest", 4.5, 21, 20, 2),
                           measured_run("tiny int2_g64 nearest", 2.5, 99, 20, 4),
                           measured_run("tiny int3_g64 nearest", 3.5, 99, 50, 1),  // other text
                           measured_run("tinier int3_g64 nearest", 3.5, 9, 20, 5)};
  rows.push_back(measured_run("tiny budget=0.8 int4_g64 nearest", 4.5, 30, 20, 6));
  rows.back().last["compress/rank_cut"] = 0.2;
  const MeasuredQuant measured = measured_quant(rows, "tiny");
  EXPECT_NEAR(measured.dense_perplexity, 20, 1e-9);
  ASSERT_EQ(measured.points.size(), 3U);
  EXPECT_EQ(measured.points[0].name, "int2_g64 nearest");
  EXPECT_EQ(measured.points[1].bits, 4.5);
  EXPECT_EQ(measured.points[0].series, measured.points[1].series);
  EXPECT_EQ(measured.points[2].series, "nf4 nearest");
  EXPECT_TRUE(measured_quant({}, "tiny").points.empty());
}

TEST(QuantView, AMeasurementBelongsToItsChoice) {
  const auto probe = some_probe("tiny", 1);
  QuantForm form;
  Json choice = quant_choice_of(form, *probe);
  std::vector<RunRow> rows{measured_run("tiny int4_g64 nearest", 4.5, 22, 20, 1)};
  EXPECT_EQ(quant_measurement_of(rows, "tiny", choice), nullptr);  // its spec is not read yet
  rows[0].spec = std::make_shared<const Json>(Json{{"compress", choice}});
  EXPECT_EQ(quant_measurement_of(rows, "tiny", choice), &rows[0]);
  choice["calibration"]["samples"] = 7;
  EXPECT_EQ(quant_measurement_of(rows, "tiny", choice), &rows[0]) << "nearest reads no text";
  choice["quant"]["rounding"] = "gptq";
  EXPECT_EQ(quant_measurement_of(rows, "tiny", choice), nullptr);
  rows[0].spec = std::make_shared<const Json>(Json{{"compress", choice}});
  EXPECT_EQ(quant_measurement_of(rows, "tiny", choice), &rows[0]);
  choice["calibration"]["samples"] = 8;
  EXPECT_EQ(quant_measurement_of(rows, "tiny", choice), nullptr) << "GPTQ does";
  form.bits = 3;
  EXPECT_EQ(quant_measurement_of(rows, "tiny", quant_choice_of(form, *probe)), nullptr);
}

}  // namespace
}  // namespace lathe::ui::testing
