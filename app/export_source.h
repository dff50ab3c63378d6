// What an export begins with: the weights of a file or of a run's checkpoint, what reads text for
// them, and what is known of the run.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/cli.h"
#include "engine/data/token_source.h"
#include "engine/io/model_file.h"
#include "engine/nn/linear_plan.h"

namespace lathe::app {

struct ExportSource {
  ModelFile file;
  std::vector<LinearPlan> plans;
  std::string name;
  Json record = Json::object();  // of a run: run, name, step, metrics, spec
  // Of a run, whose tokenizer it is: the corpus, or the model that the run began with; neither
  // where it is gone, `text_problem` says how.
  std::shared_ptr<const TokenSource> corpus = nullptr;
  std::optional<ModelFile> text_of = {};
  std::string text_problem = "the source has none";
  // Of a run: the slots as it trained them, the folder of the checkpoint, and the model it began
  // with by name and hash, both empty where it began with none.
  std::vector<LinearPlan> trained = {};
  std::filesystem::path checkpoint = {};
  std::string base_name = {}, base_hash = {};
  std::optional<StoredType> rounded_to = {};  // that model's matrices (train.frozen)
};

// `model` as WeightsExport says. kUsage where there is none such, kData for what cannot be read.
Result<ExportSource> open_export_source(const std::string& model, const GlobalOptions& options);

}  // namespace lathe::app
