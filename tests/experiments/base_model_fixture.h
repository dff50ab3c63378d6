// Runs that begin with a model: a small one in a folder, samples that a few steps learn.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "engine/io/safetensors.h"
#include "engine/lm/model_export.h"
#include "experiments/base_model.h"
#include "tests/experiments/runner_fixture.h"
#include "tests/support/model_folder.h"

namespace lathe::experiments {

inline ModelConfig byte_llama() {
  ModelConfig model = test::small_llama();
  model.vocab_size = 260;
  model.context = 512;
  return model;
}

class BaseModelTest : public RunnerTest {
 protected:
  BaseModelTest() : model_("base_" + folder_.filename().string()) {
    model_.write_llama(byte_llama(), test::distinct_values(byte_llama()));
    setenv("XDG_CACHE_HOME", (folder_ / "cache").c_str(), 1);
    setenv("XDG_DATA_HOME", (folder_ / "data").c_str(), 1);
    ports_.open_data = {};
    TrainSpec& train = request_.spec.train;
    train.model = {};
    train.model.from = model_.path().string();
    train.data.kind = DataKind::kInstruct;
    train.data.path = samples().string();
    train.train.seq_len = 96;
  }

  // Questions whose answer is always the same, so that a few steps learn it.
  std::filesystem::path samples() const {
    std::string lines;
    for (int i = 0; i < 60; ++i) {
      lines +=
          Json{{"instruction", "Which is it, " + std::to_string(i) + "?"}, {"output", "aaaa aaaa"}}
              .dump() +
          "\n";
    }
    model_.write("samples.jsonl", lines);
    return model_.path() / "samples.jsonl";
  }
  // A model as a folder of its own beside the first, whose text it shares in a folder of its own.
  std::string written(const ModelFile& file, const std::string& name) const {
    const std::string out = (model_.path() / name).string();
    const auto backend = make_backend("cpu", 1);
    const auto own = ModelFile::open(model_.path());
    const auto report = export_model(**backend, file, file.plans(),
                                     {.format = ModelFormat::kHuggingFace,
                                      .type = StoredType::kF32,
                                      .factors = Factors::kKeep,
                                      .out = out,
                                      .name = name,
                                      .text_of = &*own});
    EXPECT_TRUE(report.ok()) << report.error().text();
    return out;
  }
  ModelFile newest_checkpoint(const ModelConfig& model,
                              const std::vector<LinearPlan>& plans) const {
    return *ModelFile::open_checkpoint(witness_.all<CheckpointSaved>().back().path, model, plans);
  }
  std::string settling_error(const ModelConfig& model) const {
    const auto settled = settle_model(model);
    EXPECT_FALSE(settled.ok());
    return settled ? "" : settled.error().text();
  }
  // A weight of the newest checkpoint.
  std::vector<float> saved(const std::string& name) const {
    const std::filesystem::path folder = witness_.all<CheckpointSaved>().back().path;
    const auto file = SafetensorsFile::open(folder / "weights.safetensors");
    const auto bytes = file->bytes(*file->find(name));
    std::vector<float> values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }

  test::ModelFolder model_;
};

}  // namespace lathe::experiments
