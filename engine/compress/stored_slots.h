// A model's linear slots, dense or two factors, rounded to a type of few bits: to nearest, or by
// GPTQ on calibration text, block by block behind blocks that are rounded already.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/base/result.h"
#include "engine/compress/calibration.h"
#include "engine/compress/progress.h"
#include "engine/compress/quant_config.h"
#include "engine/io/model_file.h"
#include "engine/methods/lord/ranks.h"
#include "engine/methods/quant/gptq.h"
#include "engine/methods/quant/palette_rounding.h"
#include "engine/methods/quant/spqr.h"

namespace lathe {

struct StoreOptions {
  StoredType type = StoredType::kNf4;  // can_encode_matrix(), or spqr3, spqr4, or a palette
  RoundingRule rounding = RoundingRule::kNearest;  // kGptq where has_grid(type)
  GptqOptions gptq = {};
  SpqrOptions spqr = {};
  PaletteOptions palette = {};
  ClusterWeighting weighting = ClusterWeighting::kUniform;  // kFisher: of palettes
};

// A matrix that was rounded.
struct StoredLayer {
  std::string name;  // "layers.3.mlp.down.weight"
  std::int64_t out = 0;
  std::int64_t in = 0;
  std::int64_t bytes = 0;
  std::int64_t outliers = 0;  // of spqr
  // E||(W - W') x||^2 / E||W x||^2; of white inputs x where rounding was to nearest.
  double error_share = 0;
};

struct StoredModel {
  ModelFile file;
  std::vector<StoredLayer> layers;
};

// kUsage, naming the matrix, where it cannot be of the type.
Result<void> check_fits(const std::string& name, const std::vector<std::int64_t>& shape,
                        StoredType type);

// `types`: whose matrices; the others stay as they are. kUsage, naming the matrix, where its rows
// are not whole blocks of the type or (GPTQ, SpQR) its factors have a nonlinearity between them;
// kData as round_gptq(), as round_palette() and for inputs that are not finite; kInterrupted.
// `sequences` are read by GPTQ and SpQR alone.
Result<StoredModel> store_slots(Backend& backend, const ModelFile& model,
                                const CalibrationSequences& sequences, const StoreOptions& options,
                                std::span<const LayerType> types, const CompressProgress& progress);

}  // namespace lathe
