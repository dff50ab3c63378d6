// What the Spectrum panel shows, without ImGui: its form and the documents that it makes, the map
// of layers, what is said of a layer, and the points that were measured.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "ui/model/heat_map.h"
#include "ui/model/models_state.h"
#include "ui/model/run_list.h"

namespace lathe::ui {

// A way to choose ranks by one number.
struct RankRuleChoice {
  const char* id;  // its name in a CompressSpec
  const char* title;
  const char* help;
};
inline constexpr std::array<RankRuleChoice, 4> kRankRules{
    {{"budget", "Budget", "a share of all layers' parameters, spent where it loses least"},
     {"param_share", "Parameter share", "the same share of each layer's parameters"},
     {"rank_fraction", "Rank fraction", "the same share of each layer's smaller side"},
     {"energy", "Energy", "the least rank that keeps this share of a layer's output energy"}}};

struct SolverChoice {
  const char* id;
  const char* title;
  const char* help;
};
inline constexpr std::array<SolverChoice, 5> kSolvers{
    {{"affine", "Affine", "the best affine map of each rank on the calibration text"},
     {"lord", "LoRD", "principal components of the outputs, with a bias"},
     {"whitened", "Whitened (SVD-LLM)", "the inputs' covariance decides what counts"},
     {"asvd", "ASVD", "inputs weighed by their magnitude"},
     {"svd", "SVD", "of the weights alone; looks at no text"}}};

inline constexpr std::array<const char*, 3> kTargets{"all", "attention", "mlp"};
inline constexpr std::array<int, 6> kMultiples{1, 8, 16, 32, 64, 128};

// What a cell's colour tells.
enum class HeatKind : std::uint8_t { kKept, kDecay, kRank };

struct SpectrumForm {
  int solver = 0;  // of kSolvers
  int target = 0;  // of kTargets
  int samples = 128;
  int seq_len = 0;   // 0: as CalibrationConfig has it
  std::string data;  // empty: the default corpus
  int rule = 0;      // of kRankRules
  std::array<float, kRankRules.size()> values{0.8f, 0.8f, 0.5f, 0.99f};
  int multiple = 1;  // of kMultiples
  int windows = 32;  // of held-out text
  HeatKind heat = HeatKind::kKept;
  std::string layer;      // whose singular values are drawn
  std::string out;        // where to write; empty: the usual place
  bool settings = false;  // of the look: shown although there is a spectrum
  std::string search;     // job whose finding the slider still waits for
};

// The look that the form asks for, as `lathe compress` would take it.
Json look_of(const SpectrumForm& form);
// The choice of ranks in the decomposition of that look.
Json choice_of(const SpectrumForm& form, const ModelSpectrum& spectrum);
// Along the same rule, the smallest whose perplexity rises by no more than `max_rise`.
Json search_of(const SpectrumForm& form, const ModelSpectrum& spectrum, double max_rise);
// What a search that is done has found becomes the form's choice.
void take_found(SpectrumForm& form, const Json& spec);
// "affine on 128 x 512 tokens of python-stdlib, all layers, 42 s".
std::string look_text(const ModelSpectrum& spectrum);

// Shares by layer; struck is what keeps its matrix. The lowest colour changes in few steps, so that
// colours do not flicker. `plan`: null while none is known; then only kDecay has values.
HeatMap heat_map(const ModelSpectrum& spectrum, const experiments::RankPlan* plan, HeatKind kind);

// Directions that keep this share of the layer's output energy; all of them if that takes all.
std::int64_t directions_keeping(const LayerSpectrum& spectrum, double share);

// Lines about a layer: name, shape, rank, energy, error, parameters, why it stays dense.
std::vector<std::string> layer_lines(const ModelSpectrum& spectrum,
                                     const experiments::RankPlan* plan, std::size_t layer);

// Singular values above zero, descending.
std::vector<double> singular_values(const LayerSpectrum& spectrum);

// Choices of ranks of one model that were measured on the same text, from the store and from now.
struct MeasuredRanks {
  RunId run;
  std::string name;
  double params = 0;
  double perplexity = 0;
};
struct MeasuredPoints {
  std::vector<MeasuredRanks> points;  // by parameters
  double dense_perplexity = 0;        // 0: no point
};
// `model`: its name. The newest run decides the text: of the others, those stay whose dense model
// had the same perplexity.
MeasuredPoints measured_points(const std::vector<RunRow>& rows, const std::string& model);

// A run that measured exactly this choice, of now or of an earlier session; null if there is none.
const RunRow* measurement_of(const std::vector<RunRow>& rows, const std::string& model,
                             const Json& choice);

// "-12.3 %", "0 %": from before to after.
std::string change_text(double before, double after);
// "98.21 %".
std::string share_text(double share);

}  // namespace lathe::ui
