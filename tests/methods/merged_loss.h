// What an export of a run begins with: a model whose weights are those of its newest step, with
// what a method has beside them as a part of them.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/io/model_file.h"
#include "engine/nn/transformer.h"
#include "engine/train/model_plan.h"
#include "tests/methods/tiny_run.h"

namespace lathe::test {

// Its held-out loss.
inline double merged_loss(const TrainSpec& spec, TinyRun& run) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("lathe_merged_" + std::to_string(getpid()));
  EXPECT_TRUE(run.trainer->save(folder.string()).ok());
  std::vector<std::string> warnings;
  const auto file = ModelFile::open_checkpoint(folder, spec.model, *plan_slots(spec, warnings));
  EXPECT_TRUE(file.ok()) << file.error().text();
  TrainSpec plain = spec;
  plain.method = Json::object();
  plain.model = file->config();
  plain.base_slots = file->plans();
  plain.base = std::make_shared<const GivenModel>(
      GivenModel{.config = plain.model,
                 .slots = file->plans(),
                 .weights = [&](Backend& to, Transformer& transformer) {
                   for (Parameter* parameter : transformer.parameters()) {
                     set_values(to, *parameter, file->floats(parameter->name).data());
                   }
                 }});
  const auto trainer =
      make_trainer(*run.backend, plain, learnable_tokens(kTinyVocab, 2000), warnings);
  EXPECT_TRUE(trainer.ok()) << trainer.error().text();
  const double loss = (*trainer)->evaluate()->loss;
  std::filesystem::remove_all(folder);
  return loss;
}

}  // namespace lathe::test
