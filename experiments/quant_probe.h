// What rounding a model's layers to each type of few bits would lose: plain data that any thread
// may keep, and from which each choice of type is told at once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "engine/compress/progress.h"
#include "engine/compress/round_statistics.h"

namespace lathe {
class ModelFile;
}

namespace lathe::experiments {

// A type that may be chosen, by the words of a CompressSpec's `quant`.
struct QuantOption {
  std::string name;        // as it is stored: "int4_g64"
  std::string type;        // "int"
  std::int64_t bits = 0;   // 0: not to be chosen
  std::int64_t group = 0;  // 0: not to be chosen
  bool gptq = false;       // may be rounded by it
  bool outliers = false;   // are kept beside the codes, as calibration text says; white inputs here
  std::int64_t block_elements = 0;
  std::vector<double> levels;  // level_positions()
};

struct QuantLayer {
  std::string slot;    // "layers.3.mlp.down"
  std::string matrix;  // "layers.3.mlp.down.weight"; of two factors ".a" and ".b"
  std::int64_t out = 0;
  std::int64_t in = 0;
  double kept_bytes = 0;        // as it is written where it stays as it is
  MatrixStatistics statistics;  // types in the order of the options
};

struct QuantProbe {
  std::string model;  // as it was asked for
  Json spec;          // a CompressSpec that only rounds; what is to be chosen is its `quant`
  std::vector<QuantOption> options;
  std::vector<QuantLayer> layers;  // in the order of the model's slots
  std::int64_t blocks = 0;
  std::int64_t params = 0;        // of the whole model
  std::int64_t stored_bytes = 0;  // of its weights in the file at hand
  double other_bytes = 0;         // of what is not among the layers, as it is written
  double secs = 0;                // that looking took
};

// What a choice comes to.
struct QuantPlan {
  std::vector<bool> rounded;         // by layer
  std::vector<std::size_t> refused;  // layers that are meant and cannot be of the type
  double bits = 0;                   // a weight, of what is rounded
  double error_share = 0;            // mean of what is rounded
  double bytes_before = 0;           // of the whole model, nothing rounded
  double bytes_after = 0;
};

// Every type; of groups every size and number of bits, of palettes one of single weights to a
// matrix, of up to 6 bits.
std::vector<QuantOption> quant_options();

// Rounds every matrix of the linear slots to every type that may be chosen, one matrix at a time.
// `bytes_per_param`: of what is written unrounded. kData, naming the matrix, as round_statistics();
// kInterrupted.
Result<QuantProbe> probe_quant(const ModelFile& model, const std::string& name,
                               double bytes_per_param, const CompressProgress& progress);

// The place of an option; that of the type alone where the type leaves bits or group no choice.
// None where there is no such option.
std::optional<std::size_t> find_option(const QuantProbe& probe, std::string_view type,
                                       std::int64_t bits, std::int64_t group);

// `target`: of a CompressSpec. Precondition: there is such an option.
QuantPlan plan_quant(const QuantProbe& probe, std::size_t option, std::string_view target);

// Why a matrix stays as it is: "rows of 96 are not whole groups of 64". Precondition as above.
std::string refusal_text(const QuantLayer& layer, const QuantOption& option);

}  // namespace lathe::experiments
