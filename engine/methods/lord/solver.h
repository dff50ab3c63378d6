// One linear layer y = W x + b into two factors y' = B A x + b', five ways (README.md: equations,
// papers, what differs). Every solver is a choice of orthonormal output directions U, ordered, and
// gives B A = U_r U_r^T W; so all have one spectrum type, and layer errors that are exact.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/describe.h"
#include "engine/base/result.h"
#include "engine/methods/lord/statistics.h"

namespace lathe {

enum class LordSolver : std::uint8_t {
  kSvd,       // truncated SVD of W
  kAsvd,      // ASVD: of W diag(E|x|^alpha)
  kWhitened,  // SVD-LLM: of W (E x x^T)^1/2, bias unchanged
  kLord,      // LoRD, atomic feature mimicking: principal components of the output, new bias
  kAffine     // the best affine map of that rank; with CrossStatistics from the inputs x'
};
template <>
struct EnumNames<LordSolver> {
  static constexpr std::array<std::string_view, 5> names{"svd", "asvd", "whitened", "lord",
                                                         "affine"};
};

struct LordSolverOptions {
  LordSolver solver = LordSolver::kAffine;
  double asvd_alpha = 0.5;  // exponent of E|x|
  // lord and affine: false leaves the bias as it is and fits without means (lord then is whitened,
  // affine its sequential form), for models that have nowhere to put a bias.
  bool centred = true;
  // affine with CrossStatistics: added to the variance of x', as a share of its mean over columns.
  // Keeps directions that were hardly seen close to W.
  double ridge = 1e-6;
};

// What is to be approximated, and under which inputs.
struct LayerProblem {
  std::int64_t out = 0;
  std::int64_t in = 0;
  std::span<const float> weight = {};  // W [out, in], row-major
  std::span<const float> bias = {};    // b [out], or empty
  // At most one of these; svd needs none. `output` where out <= in, in place of `input`;
  // `cross`: the factors will read x' (affine only).
  const InputStatistics* input = nullptr;    // of x
  const OutputStatistics* output = nullptr;  // of x by column, and W x
  const CrossStatistics* cross = nullptr;    // of x and x'
};

// What each rank would lose. Plain data, min(out, in) directions, best first.
struct LayerSpectrum {
  // Squared singular values (eigenvalues) of the matrix that the solver truncates, descending.
  std::vector<double> values;
  // errors[r] is the layer error at rank r, E||W x + b - (B A x' + b')||^2 per row, for r from 0 to
  // values.size(): exact under the statistics for every solver, never rising. Without statistics
  // (svd) that of white inputs, ||W - B A||^2.
  std::vector<double> errors;

  std::int64_t full_rank() const { return static_cast<std::int64_t>(values.size()); }
  double layer_error(std::int64_t rank) const { return errors[static_cast<std::size_t>(rank)]; }
  // Output energy that rank 0 loses: E||W x - mean||^2, or E||W x||^2 where the bias is not fitted.
  double energy() const { return errors.front(); }
};

struct LayerFactors {
  std::int64_t rank = 0;
  std::vector<double> a = {};     // A [rank, in]
  std::vector<double> b = {};     // B [out, rank]
  std::vector<double> bias = {};  // b' [out]: the whole new bias; empty where the layer needs none
};

// A decomposed layer: factors of any rank are then a copy.
class LayerSolution {
 public:
  const LayerSpectrum& spectrum() const { return spectrum_; }
  // What had to be floored (few rows, dead inputs, an output without energy); empty if nothing.
  const std::string& note() const { return note_; }
  // Precondition: 1 <= rank <= spectrum().full_rank(). B = U_r with kLord, as the paper has it;
  // otherwise both factors have equal norms direction by direction.
  LayerFactors factors(std::int64_t rank) const;
  // Whether the factors carry a bias: so counts a planner.
  bool has_bias() const { return !mean_output_.empty() || !bias_.empty(); }

 private:
  friend class LayerSolver;

  std::int64_t out_ = 0;
  std::int64_t in_ = 0;
  bool balanced_ = true;
  LayerSpectrum spectrum_;
  std::string note_;
  std::vector<double> directions_;   // U^T [full rank, out]
  std::vector<double> mapped_;       // U^T W [full rank, in]
  std::vector<double> bias_;         // b, or empty
  std::vector<double> mean_output_;  // W E x [out]; empty where the bias is not fitted
  std::vector<double> mean_hidden_;  // U^T W E x' [full rank]
};

// Errors: kUsage where the solver lacks statistics or gets cross statistics it cannot use; kData
// where W or b is not finite or no row was added; kFailed where LAPACK finds no eigenvalues.
// Shapes that do not fit together are a bug (CHECK). Runs on all cores: one call at a time.
Result<LayerSolution> solve_layer(const LayerProblem& problem, const LordSolverOptions& options);

// E||W x + b - (B A x' + b')||^2 per row of any candidate, under the statistics of the problem
// (x' = x where it has no cross statistics; white inputs where it has none at all). Precondition:
// they are not of outputs.
double layer_error(const LayerProblem& problem, const LayerFactors& candidate);

}  // namespace lathe
