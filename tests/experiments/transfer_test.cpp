// Transfer of models of images: a run that begins with one draws another head for other classes,
// trains what a method puts beside frozen weights as they are stored, and goes out as a model that
// measures the same. What SSF and Hydra have beside a model of text in NF4 trains likewise.
#include <gmock/gmock.h>

#include "engine/quant/stored_matrix.h"
#include "engine/train/model_plan.h"
#include "experiments/predict.h"
#include "tests/experiments/base_model_fixture.h"
#include "tests/support/memory_images.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

ModelConfig small_vit() {
  return {.dim = 32,
          .layers = 2,
          .heads = 4,
          .ff_dim = 48,
          .vocab_size = 3,
          .norm_eps = 1e-12,
          .norm = NormKind::kLayer,
          .mlp = MlpKind::kGelu,
          .bias = true,
          .positions = PositionKind::kLearned,
          .image = {.size = 12, .channels = 2, .patch_size = 4, .classes = 3}};
}

Json beside(const std::string& id) {
  if (id == "lora") {
    return {{"lora", {{"rank", 4}, {"targets", {"all"}}}}};
  }
  return id == "ssf" ? Json{{"ssf", {{"enabled", true}}}}
                     : Json{{"hydra", {{"rank", 4}, {"targets", {"all"}}}}};
}

class TransferTest : public RunnerTest {
 protected:
  TransferTest() : model_("transfer_" + folder_.filename().string()) {
    setenv("XDG_CACHE_HOME", (folder_ / "cache").c_str(), 1);
    setenv("XDG_DATA_HOME", (folder_ / "data").c_str(), 1);
    ports_.open_data = [](const TrainSpec&, const CorpusProgress&) {
      return Result<std::shared_ptr<const TokenSource>>(test::learnable_images(12, 2));
    };
    const auto values = test::random_values(small_vit());
    model_.write("config.json", vit_json().dump());
    auto stored = test::stored_form(small_vit(), NameScheme::kHfVit, values);
    test::write_safetensors(model_.path() / "model.safetensors", stored);
    TrainSpec& train = request_.spec.train;
    train.model = {};
    train.model.from = model_.path().string();
    train.model.image.classes = 4;
    train.data.kind = DataKind::kImages;
    train.data.path = "made";
    train.train.eval_batches = 100;
    train.train.batch_size = 8;
    train.train.steps = 20;
    train.optim.lr = 1e-2;
  }
  static Json vit_json() {
    return {{"architectures", {"ViTForImageClassification"}},
            {"model_type", "vit"},
            {"hidden_size", 32},
            {"num_hidden_layers", 2},
            {"num_attention_heads", 4},
            {"intermediate_size", 48},
            {"image_size", 12},
            {"patch_size", 4},
            {"num_channels", 2},
            {"num_labels", 3}};
  }
  // A folder with the file's weights in another type.
  std::string written(const ModelFile& file, const std::vector<LinearPlan>& plans, StoredType type,
                      const std::string& name) const {
    const std::string out = (model_.path() / name).string();
    const auto backend = make_backend("cpu", 1);
    const auto report =
        export_model(**backend, file, plans,
                     {.format = ModelFormat::kHuggingFace, .type = type, .out = out, .name = name});
    EXPECT_TRUE(report.ok()) << report.error().text();
    return out;
  }
  fs::path newest() const { return witness_.all<CheckpointSaved>().back().path; }

  test::ModelFolder model_;
};

TEST_F(TransferTest, TheHeadIsDrawnAnewForOtherClasses) {
  TrainSpec& train = request_.spec.train;
  train.train.steps = 1;
  train.optim.lr = 1e-12;
  const RunOutcome outcome = run_one(request_, ports_);
  ASSERT_EQ(outcome.state, RunState::kDone) << outcome.error->text();
  std::string logged;
  for (const LogLine& line : witness_.all<LogLine>()) {
    logged += line.text + "\n";
  }
  EXPECT_THAT(logged, HasSubstr("tells 3 classes apart, and model.image.classes=4"));
  const ModelFile file = *ModelFile::open(model_.path());
  const auto saved = SafetensorsFile::open(newest() / "weights.safetensors");
  EXPECT_EQ(saved->find("head.weight")->shape, (std::vector<std::int64_t>{4, 32}));
  const auto values = [&](const std::string& name) {
    const auto bytes = saved->bytes(*saved->find(name));
    std::vector<float> floats(bytes.size() / sizeof(float));
    std::memcpy(floats.data(), bytes.data(), bytes.size());
    return floats;
  };
  for (const ModelTensor& tensor : file.tensors()) {
    if (tensor.name.starts_with("head.")) {
      continue;
    }
    const std::vector<float> want = file.floats(tensor.name);
    const std::vector<float> got = values(tensor.name);
    for (std::size_t i = 0; i < want.size(); ++i) {
      ASSERT_NEAR(got[i], want[i], 1e-6f) << tensor.name;
    }
  }
  double squares = 0;
  const std::vector<float> head = values("head.weight");
  for (const float value : head) {
    squares += double(value) * double(value);
  }
  EXPECT_NEAR(std::sqrt(squares / double(head.size())), 0.02, 0.004) << "init_std, from the seed";
}

TEST_F(TransferTest, SettledShapesSettleAgain) {
  const auto settled = settle_model(request_.spec.train.model);
  ASSERT_TRUE(settled.ok()) << settled.error().text();
  EXPECT_EQ(settled->image.classes, 4);
  EXPECT_EQ(settled->vocab_size, 4);
  const auto again = settle_model(*settled);
  ASSERT_TRUE(again.ok()) << again.error().text();
  EXPECT_EQ(to_json(*again), to_json(*settled));
  EXPECT_EQ(settle_model({.from = model_.path().string()})->image.classes, 3);
}

TEST_F(TransferTest, WhatDoesNotFitIsRefused) {
  request_.spec.train.model.image.classes = 0;
  EXPECT_THAT(run_one(request_, ports_).error->text(), HasSubstr("set model.image.classes=4"));
  request_.spec.train.model.image.size = 28;
  EXPECT_THAT(run_one(request_, ports_).error->text(), HasSubstr("model.image="));
  request_.spec.train.model.image = {.classes = 4};
  ports_.open_data = [](const TrainSpec&, const CorpusProgress&) {
    return Result<std::shared_ptr<const TokenSource>>(test::learnable_images(16, 2));
  };
  EXPECT_THAT(
      run_one(request_, ports_).error->text(),
      AllOf(HasSubstr("holds images of 16 x 16"), HasSubstr("begin with a model of such images")));
}

TEST_F(TransferTest, WhatIsBesideStoredWeightsTrainsAndGoesOutAsAModel) {
  const ModelFile dense = *ModelFile::open(model_.path());
  request_.spec.train.model.from = written(dense, dense.plans(), StoredType::kF16, "f16");
  const RunSpec begun = request_.spec;
  for (const std::string id : {"lora", "ssf", "hydra"}) {
    SCOPED_TRACE(id);
    witness_.events.clear();
    request_.run = "run" + id;
    request_.spec = begun;
    TrainSpec& train = request_.spec.train;
    train.method = beside(id);
    request_.spec = *run_spec_from_json(to_json(request_.spec));
    const RunOutcome outcome = run_one(request_, ports_);
    ASSERT_EQ(outcome.state, RunState::kDone) << outcome.error->text();
    EXPECT_LT(series("eval/loss").at(20), 0.97 * series("eval/loss").at(0));
    EXPECT_EQ(witness_.all<RunCreated>()[0].predicted_peak_bytes,
              witness_.all<MemorySample>().back().peak.live_bytes);
    const auto saved = SafetensorsFile::open(newest() / "weights.safetensors");
    EXPECT_EQ(saved->find("layers.0.attention.q.weight"), nullptr) << "it is in the file";
    EXPECT_NE(saved->find("head.weight"), nullptr);

    std::vector<std::string> warnings;
    const auto resolved = resolve_model(request_.spec.train);
    const auto plans = plan_slots(*resolved, warnings);
    const ModelFile base = *ModelFile::open(train.model.from);
    const auto whole = ModelFile::open_checkpoint(newest(), resolved->model, *plans, &base);
    ASSERT_TRUE(whole.ok()) << whole.error().text();
    const double after = series("eval/loss").at(20);
    witness_.events.clear();
    train.model = {};
    train.model.from = written(*whole, whole->plans(), StoredType::kF32, "out_" + id);
    train.method = Json::object();
    train.train.steps = 1;
    request_.spec = *run_spec_from_json(to_json(request_.spec));
    const RunOutcome again = run_one(request_, ports_);
    ASSERT_EQ(again.state, RunState::kDone) << again.error->text();
    EXPECT_NEAR(series("eval/loss").at(0), after, 1e-4);
  }
}

class StoredTextTest : public BaseModelTest {};

TEST_F(StoredTextTest, SsfAndHydraTrainBesideNf4) {
  const test::ModelFolder wide("wide_" + folder_.filename().string());
  ModelConfig config = byte_llama();
  config.dim = 64;
  wide.write_llama(config, test::random_values(config));
  const ModelFile dense = *ModelFile::open(wide.path());
  std::map<std::string, StoredValues> weights;
  for (const LinearPlan& slot : dense.plans()) {
    const std::vector<float> values = dense.floats(slot.name + ".weight");
    StoredValues& stored = weights[slot.name + ".weight"];
    stored.type = StoredType::kNf4;
    stored.bytes.resize(static_cast<std::size_t>(matrix_bytes(DType::kNf4, slot.out, slot.in)));
    encode_matrix(DType::kNf4, values.data(), slot.out, slot.in, stored.bytes.data());
  }
  request_.spec.train.model.from =
      written(ModelFile::with_stored(dense, std::move(weights)), "nf4");
  request_.spec.train.train.steps = 12;
  request_.spec.train.optim.lr = 2e-2;
  for (const std::string id : {"ssf", "hydra"}) {
    SCOPED_TRACE(id);
    std::map<std::int64_t, std::string> first;
    for (const bool again : {false, true}) {
      witness_.events.clear();
      request_.run = "run" + id + (again ? "2" : "1");
      request_.spec.train.method = beside(id);
      request_.spec = *run_spec_from_json(to_json(request_.spec));
      const RunOutcome outcome = run_one(request_, ports_);
      ASSERT_EQ(outcome.state, RunState::kDone) << outcome.error->text();
      EXPECT_LT(series("eval/loss").at(12), 0.97 * series("eval/loss").at(0));
      EXPECT_EQ(witness_.all<RunCreated>()[0].predicted_peak_bytes,
                witness_.all<MemorySample>().back().peak.live_bytes);
      if (again) {
        EXPECT_EQ(digests(), first);
      }
      first = digests();
    }
  }
}

}  // namespace
}  // namespace lathe::experiments
