// Models that specs name: found, opened once, and told by a hash of their weights.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/io/model_file.h"
#include "engine/train/train_spec.h"

namespace lathe::experiments {

// A model as a section of a spec names it: SECTION.from, SECTION.from_hash.
struct NamedModel {
  std::string_view section;  // "model", "distill"
  std::string from;
  std::string from_hash;  // empty: any weights
};

// What a spec takes from a file.
struct KnownModel {
  std::shared_ptr<const ModelFile> file;
  ModelConfig config;
  std::vector<LinearPlan> factored;  // all slots, where some are factored
  std::string hash;
};

// kUsage where there is no such model.
Result<std::filesystem::path> path_of(const NamedModel& model);

// Read once as long as the file does not change. Errors of path_of; kMismatch where it holds other
// weights than from_hash says, kData for a file that cannot be read.
Result<KnownModel> known_model(const NamedModel& model);

// What a trainer takes of a file.
std::shared_ptr<const GivenModel> given_model(const std::shared_ptr<const ModelFile>& file);
// The same with its matrices rounded to `type` (rounded_base()) when a run takes them.
std::shared_ptr<const GivenModel> rounded_model(const std::shared_ptr<const ModelFile>& file,
                                                StoredType type);

// Of one model whatever the folder a command is given in.
std::string lasting_name(const std::string& from);

}  // namespace lathe::experiments
