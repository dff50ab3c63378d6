// Writes a model for other programs, as a Hugging Face folder or a GGUF file, and proves it before
// it gets its name: what was written is opened again and must compute the logits that the weights,
// stored in the type asked for, should give.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/base/result.h"
#include "engine/io/model_file.h"
#include "engine/nn/linear_plan.h"

namespace lathe {

struct ExportRequest {
  ModelFormat format = ModelFormat::kGguf;  // or kHuggingFace
  StoredType type = StoredType::kF16;       // of matrices; norms stay f32 in GGUF files
  std::filesystem::path out;                // must not exist
  std::string name;                         // of the model, for people
};

struct ExportReport {
  std::int64_t bytes = 0;
  // Of what was written against what should have been: computed from the same rounded weights.
  double max_difference = 0;
  // Of what was written against the model itself: what the stored type costs.
  double max_change = 0;
  double mean_kl = 0;                     // nats per position, on ids drawn at random
  double argmax_agreement = 0;            // share of positions
  std::vector<std::string> merged_slots;  // factored slots that became one dense matrix
  std::vector<std::string> fallbacks;     // "layers.0.mlp.down.weight: q8_0, rows of 1536 ..."
  std::string tokenizer;                  // what became of it
};

// The types that each format can be written in.
bool can_export(ModelFormat format, StoredType type);

// `plans`: the slots of the source, dense_plan() for files of other programs. kUsage for what the
// format cannot hold, kMismatch where the logits differ (nothing is left then), kDisk. Throws
// OutOfMemory.
Result<ExportReport> export_model(Backend& backend, const ModelFile& source,
                                  const std::vector<LinearPlan>& plans,
                                  const ExportRequest& request);

}  // namespace lathe
