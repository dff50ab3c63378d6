// Writes a model for other programs, as a Hugging Face folder or a GGUF file, and proves it before
// it gets its name: what was written is opened again and must compute the logits that the weights,
// stored in the type asked for, should give, and read a text as the model's own tokenizer does.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/base/json.h"
#include "engine/base/result.h"
#include "engine/io/model_file.h"
#include "engine/nn/linear_plan.h"

namespace lathe {

class Tokenizer;  // engine/tokenizer/tokenizer.h

// Told the share that is done and what is being done; false stops the export.
using ExportProgress = std::function<bool(double share, const std::string& what)>;

// What becomes of slots that are two factors. Kept, the file is as small as they are, and
// transformers reads it by a modelling file that lies in the folder; multiplied out, any program
// reads it.
enum class Factors : std::uint8_t { kMultiplyOut, kKeep };

struct ExportRequest {
  ModelFormat format = ModelFormat::kGguf;  // or kHuggingFace
  StoredType type = StoredType::kF16;       // of matrices; norms stay f32 in GGUF files
  Factors factors = Factors::kMultiplyOut;  // kKeep: of kHuggingFace alone
  std::filesystem::path out;                // must not exist
  std::string name;                         // of the model, for people

  // What a checkpoint reads text with: the tokenizer of its corpus, or that of another model (also
  // for its chat template). Neither: the source's own; where it has none, `text_problem` says why.
  const Tokenizer* corpus_tokenizer = nullptr;
  const ModelFile* text_of = nullptr;
  std::string text_problem = "the source has none";
  // What is known of the run that made the model: "run", "step", "metrics", "spec". May be empty.
  Json record = Json::object();
  ExportProgress progress = {};
};

// Matrices that the source has in a type of ours (is_ours()) and the file in another.
struct Reencoded {
  std::string from, to;
  std::int64_t matrices = 0;
  double error = 0;    // ||W - W'|| / ||W|| of all together: what writing added
  double largest = 0;  // of one
  std::string where;   // which one
};

// "14 matrices from palette3 to q4_0: off by 5.1 % of their size, layers.0.… most, by 6 %".
std::string reencoded_text(const Reencoded& types);

struct ExportReport {
  std::int64_t bytes = 0;
  std::string source_hash;
  // Of what was written against what should have been: computed from the same rounded weights.
  double max_difference = 0;
  // Of what was written against the model itself: what the stored type costs.
  double max_change = 0;
  double mean_kl = 0;                     // nats per position, on ids drawn at random
  double argmax_agreement = 0;            // share of positions
  std::vector<std::string> merged_slots;  // factored slots that became one dense matrix
  std::vector<Reencoded> reencoded;       // by types
  std::vector<std::string> fallbacks;     // "layers.0.mlp.down.weight: q8_0, rows of 1536 ..."
  std::string tokenizer;                  // what became of it
};

// The types that each format can be written in.
bool can_export(ModelFormat format, StoredType type);

// `plans`: the slots of the source, dense_plan() for files of other programs. kUsage for what the
// format cannot hold, kMismatch where logits or ids differ, kInterrupted, kDisk; nothing is left
// then. Throws OutOfMemory.
Result<ExportReport> export_model(Backend& backend, const ModelFile& source,
                                  const std::vector<LinearPlan>& plans,
                                  const ExportRequest& request);

}  // namespace lathe
