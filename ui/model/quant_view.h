// What the Quantization panel shows, without ImGui: its form and the documents that it makes, the
// map of layers, what is said of a layer, and the points that were measured.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "ui/model/heat_map.h"
#include "ui/model/models_state.h"
#include "ui/model/run_list.h"

namespace lathe::ui {

using experiments::QuantLayer;
using experiments::QuantOption;
using experiments::QuantPlan;

// A type's words for people, by its name in a CompressSpec. One that is not listed shows its name.
struct QuantTypeWords {
  const char* id;
  const char* title;
  const char* help;
};
inline constexpr std::array<QuantTypeWords, 6> kQuantTypes{
    {{"nf4", "NF4",
      "16 levels at the quantiles of the normal distribution, 64 weights to a scale (QLoRA)"},
     {"nf4_dq", "NF4, double", "NF4 whose scales are quantised in turn, to 8 bits (QLoRA)"},
     {"int8_row", "8 bits, rows", "bytes, with one scale to a row (LLM.int8)"},
     {"spqr", "SpQR",
      "levels whose scales have 3 bits, 16 weights to a scale, and outliers kept beside them; a "
      "look "
      "reads no text and takes all inputs for equal, so calibration will lose less"},
     {"palette", "Palette",
      "the best so many values for a matrix, one by one (k-means); `lathe compress` also shares "
      "them among fewer rows, or gives pairs of neighbours one index"},
     {"int", "Integers",
      "levels at even steps from a group's smallest weight to its largest, with a scale and an "
      "offset to a group"}}};

struct RoundingChoice {
  const char* id;
  const char* title;
  const char* help;
};
inline constexpr std::array<RoundingChoice, 2> kRoundings{
    {{"nearest", "to nearest", "each weight by itself; reads no text"},
     {"gptq", "GPTQ", "so that outputs on calibration text change least; takes a pass over it"}}};

// What a cell's colour tells.
enum class QuantHeat : std::uint8_t { kError, kOutliers, kLargest };

// Several choices that are measured one after the other.
struct QuantListForm {
  int from = 2;  // bits
  int to = 8;
  std::vector<std::int64_t> groups;  // none: that of the form
  bool fixed_types = true;           // those too that leave bits no choice
  bool spqr = false;                 // of those bits, whatever the groups
};

struct QuantForm {
  std::string type = "int";
  int bits = 4;
  std::int64_t group = 64;
  int rounding = 0;  // of kRoundings
  int target = 0;    // of kTargets (spectrum_view.h)
  int windows = 32;  // of held-out text
  QuantHeat heat = QuantHeat::kError;
  std::string matrix;  // whose weights are drawn
  std::string out;     // where to write; empty: the usual place
  QuantListForm list;
};

// Types in the order of their first options; groups of a type; whether its bits are to be chosen.
std::vector<std::string> types_of(const QuantProbe& probe);
// The first type that leaves bits a choice; empty where there is none.
std::string swept_type(const QuantProbe& probe);
std::vector<std::int64_t> groups_of(const QuantProbe& probe, const std::string& type);
// The fewest and the most; both 0 where there is no choice.
std::array<int, 2> bits_of(const QuantProbe& probe, const std::string& type);
std::string type_title(const std::string& type);
std::string type_help(const std::string& type);

// The option that the form means; that of the first where there is no such one.
std::size_t option_of(const QuantForm& form, const QuantProbe& probe);
// The form's choice as `lathe compress` would take it.
Json quant_choice_of(const QuantForm& form, const QuantProbe& probe);
// What its list asks for and no layer refuses, types without choices first, then by group and bits.
std::vector<Json> quant_choices_of(const QuantForm& form, const QuantProbe& probe);

// "layers.3.mlp.down", with ".a" or ".b" for a factor.
std::string layer_name(const QuantLayer& layer);
HeatMap quant_map(const QuantProbe& probe, const QuantPlan& plan, std::size_t option,
                  QuantHeat heat);
// A value of such a map: "1.02 %", "11.3 σ".
std::string heat_text(QuantHeat heat, double value);

// Lines about a layer: name and shape, error and bytes, or why it stays as it is, and its outliers.
std::vector<std::string> quant_layer_lines(const QuantProbe& probe, const QuantPlan& plan,
                                           std::size_t option, std::size_t layer);
// Of the first layer that is refused, and how many there are; empty where there is none.
std::string refused_text(const QuantProbe& probe, const QuantPlan& plan, std::size_t option);

// Curves of a layer in one type, as shares of its weights.
struct LevelCurves {
  std::vector<double> places;   // middles of the bins
  std::vector<double> weights;  // in each bin
  std::vector<double> levels;   // where they lie
  std::vector<double> uses;     // of each level
  // Of a type with outliers instead: the share of each bin of a row's columns that is kept so;
  // places go from the first column (-1) to the last (1).
  std::vector<double> kept;
};
// Empty where the matrix is not rounded to that type, or has neither grid nor outliers.
LevelCurves level_curves(const QuantProbe& probe, std::size_t option, std::size_t layer);

// Choices of bits of one model that were measured on the same text, from the store and from now.
struct MeasuredBits {
  RunId run;
  std::string name;    // "int4_g64 nearest"
  std::string series;  // "int_g64 nearest": the same but for the bits
  double bits = 0;
  double bytes = 0;
  double perplexity = 0;
};
struct MeasuredQuant {
  std::vector<MeasuredBits> points;  // by series, then by bits
  double dense_perplexity = 0;       // 0: no point
};
// `model`: its name. The newest run decides the text, as in measured_points().
MeasuredQuant measured_quant(const std::vector<RunRow>& rows, const std::string& model);

// A run that measured this choice; null if there is none. What a choice does not depend on (text
// for calibration, where rounding is to nearest) may differ.
const RunRow* quant_measurement_of(const std::vector<RunRow>& rows, const std::string& model,
                                   const Json& choice);

}  // namespace lathe::ui
