// Adapters in PEFT's format: what is written is read as what it was, beside bases of both formats,
// and what cannot be read or written is refused with its name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "engine/io/peft_adapter.h"
#include "engine/lm/adapter_export.h"
#include "engine/lm/adapter_model.h"
#include "engine/lm/installed_models.h"
#include "engine/lm/language_model.h"
#include "engine/nn/adapter.h"
#include "engine/quant/half.h"
#include "tests/support/model_folder.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const std::string kQ0 = "base_model.model.model.layers.0.self_attn.q_proj";

StoredAdapter adapter_of(const ModelFile& base, const std::string& slot, std::int64_t rank) {
  for (const LinearPlan& plan : base.plans()) {
    if (plan.name == slot) {
      StoredAdapter made{.slot = slot,
                         .plan = {.rank = rank, .scale = 2.0, .dropout = 0.25},
                         .a = std::vector<float>(static_cast<std::size_t>(rank * plan.in)),
                         .b = std::vector<float>(static_cast<std::size_t>(rank * plan.out))};
      float next = 1;
      for (std::vector<float>* factor : {&made.a, &made.b}) {
        for (float& value : *factor) {
          value = 0.1f * std::sin(next++);
        }
      }
      return made;
    }
  }
  CHECK(false, "the base has the slot");
  return {};
}

class AdapterFile : public testing::Test {
 protected:
  AdapterFile()
      : folder_(testing::UnitTest::GetInstance()->current_test_info()->name()),
        backend_(std::move(*make_backend("cpu_ref", 1))) {
    fs::create_directories(folder_.path() / "base");
    write_base("base", model_);
    base_.emplace(*ModelFile::open(folder_.path() / "base"));
    for (const std::int64_t layer : {0, 1}) {
      for (const char* leaf : {".attention.q", ".attention.k", ".mlp.down"}) {
        slots_.push_back(adapter_of(*base_, "layers." + std::to_string(layer) + leaf, 3));
      }
    }
  }
  void write_base(const std::string& name, const ModelConfig& model) const {
    fs::create_directories(folder_.path() / name);
    folder_.write(name + "/config.json", test::llama_json(model).dump());
    test::write_safetensors(
        folder_.path() / name / "model.safetensors",
        test::stored_form(model, NameScheme::kHfLlama, test::distinct_values(model)));
  }
  Result<ExportReport> write(const ModelFile& base, const std::vector<StoredAdapter>& slots,
                             const std::string& base_name = "base") {
    const ModelFile merged = *ModelFile::with_adapters(base, slots);
    return export_adapter(*backend_, {.base = base,
                                      .merged = merged,
                                      .slots = slots,
                                      .out = out(),
                                      .name = "small",
                                      .base_name = (folder_.path() / base_name).string(),
                                      .record = {{"run", "r1"}}});
  }
  fs::path out() const { return folder_.path() / "adapter"; }
  Json config() const { return *read_json_file((out() / "adapter_config.json").string()); }
  void change(const std::string& key, const Json& value) const {
    Json changed = config();
    changed[key] = value;
    folder_.write("adapter/adapter_config.json", changed.dump());
  }
  std::string refusal() const {
    const auto opened = open_model_at(out());
    return opened ? "" : opened.error().text();
  }
  // The file's tensors, changed, in a type.
  void rewrite(const std::function<void(std::map<std::string, test::Stored>&)>& how,
               StoredType type = StoredType::kF32) const {
    const fs::path path = out() / "adapter_model.safetensors";
    std::map<std::string, test::Stored> tensors;
    {
      const auto file = SafetensorsFile::open(path);
      for (const SafetensorsEntry& entry : file->entries()) {
        const auto bytes = file->bytes(entry);
        test::Stored& stored = tensors[entry.name];
        stored.shape = entry.shape;
        stored.values.resize(bytes.size() / sizeof(float));
        std::memcpy(stored.values.data(), bytes.data(), bytes.size());
      }
    }
    how(tensors);
    SafetensorsWriter writer;
    for (const auto& [name, stored] : tensors) {
      writer.declare(name, type, stored.shape);
    }
    ASSERT_TRUE(writer.open(path).ok());
    for (const auto& [name, stored] : tensors) {
      const auto elements = static_cast<std::int64_t>(stored.values.size());
      std::vector<std::byte> bytes(static_cast<std::size_t>(stored_bytes(type, elements)));
      encode_row(type, stored.values.data(), bytes.data(), elements);
      ASSERT_TRUE(writer.write(bytes.data(), bytes.size()).ok());
    }
    ASSERT_TRUE(writer.commit().ok());
  }
  void expect_merged(const ModelFile& opened, const ModelFile& base, float tolerance) const {
    const ModelFile wanted = *ModelFile::with_adapters(base, slots_);
    for (const ModelTensor& tensor : wanted.tensors()) {
      EXPECT_THAT(opened.floats(tensor.name),
                  testing::Pointwise(testing::FloatNear(tolerance), wanted.floats(tensor.name)))
          << tensor.name;
    }
  }

  ModelConfig model_ = test::small_llama();
  test::ModelFolder folder_;
  std::unique_ptr<Backend> backend_;
  std::optional<ModelFile> base_;
  std::vector<StoredAdapter> slots_;
};

TEST_F(AdapterFile, IsReadAsItWasWritten) {
  const auto report = write(*base_, slots_);
  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_EQ(report->max_difference, 0);
  EXPECT_EQ(report->bytes, 4 * 3 * 2 * ((32 + 32) + (32 + 16) + (64 + 32)));
  const Json said = config();
  EXPECT_EQ(said["peft_type"], "LORA");
  EXPECT_EQ(said["r"], 3);
  EXPECT_EQ(said["lora_alpha"], 6.0);
  EXPECT_EQ(said["lora_dropout"], 0.25);
  EXPECT_EQ(said["target_modules"], (Json{"down_proj", "k_proj", "q_proj"}));
  const auto file = SafetensorsFile::open(out() / "adapter_model.safetensors");
  const SafetensorsEntry* a = file->find(kQ0 + ".lora_A.weight");
  const SafetensorsEntry* b = file->find(kQ0 + ".lora_B.weight");
  ASSERT_TRUE(a != nullptr && b != nullptr);
  EXPECT_EQ(a->shape, (std::vector<std::int64_t>{3, 32}));
  EXPECT_EQ(b->shape, (std::vector<std::int64_t>{32, 3}));
  EXPECT_TRUE(fs::exists(out() / "README.md"));
  EXPECT_FALSE(fs::exists(out().string() + ".partial"));
  expect_merged(*open_model_at(out()), *base_, 0);
  EXPECT_EQ(find_model(out().string()), out());
  EXPECT_THAT(write(*base_, slots_).error().text(), HasSubstr("exists already"));
}

// A GGUF file has the rows of q and k in another order; the adapter's are those of transformers.
TEST_F(AdapterFile, RowsAreInTheOrderOfTransformersWhateverTheBase) {
  test::write_gguf(folder_.path() / "base.gguf", model_, test::distinct_values(model_));
  const ModelFile gguf = *ModelFile::open(folder_.path() / "base.gguf");
  const auto report = write(gguf, slots_, "base.gguf");
  ASSERT_TRUE(report.ok()) << report.error().text();
  expect_merged(*open_model_at(out()), gguf, 0);
  rewrite([](auto&) {});  // forgets the hash
  change("base_model_name_or_path", "../base");
  expect_merged(*open_model_at(out()), *base_, 1e-6f);
}

TEST_F(AdapterFile, OtherTypesAndScalesAreRead) {
  for (const auto& [type, tolerance] :
       {std::pair{StoredType::kF16, 1e-3f}, {StoredType::kBf16, 5e-3f}}) {
    ASSERT_TRUE(write(*base_, slots_).ok());
    rewrite([](auto&) {}, type);
    expect_merged(*open_model_at(out()), *base_, tolerance);
    fs::remove_all(out());
  }
  ASSERT_TRUE(write(*base_, slots_).ok());
  change("use_rslora", true);
  change("lora_alpha", 2.0 * std::sqrt(3.0));
  expect_merged(*open_model_at(out()), *base_, 1e-6f);
}

// W_0 + s B A - s B_0 A_0, though the run's own weight is W_0 - s B_0 A_0.
TEST_F(AdapterFile, WhatBeganAsAPartOfTheWeightsIsADifference) {
  std::vector<StoredAdapter> slots = slots_;
  test::Values values = test::distinct_values(model_);
  for (StoredAdapter& slot : slots) {
    slot.plan.init = AdapterInit::kPissa;
    const auto out = static_cast<std::int64_t>(slot.b.size()) / 3;
    const auto in = static_cast<std::int64_t>(slot.a.size()) / 3;
    StoredAdapter start = slot;
    FactorPair leading = leading_adapter(base_->floats(slot.slot + ".weight"), slot.plan, out, in);
    start.a = std::move(leading.a);
    start.b = std::move(leading.b);
    start.plan.scale = -slot.plan.scale;
    values[slot.slot + ".weight"] =
        ModelFile::with_adapters(*base_, {start})->floats(slot.slot + ".weight");
  }
  fs::create_directories(folder_.path() / "freed");
  folder_.write("freed/config.json", test::llama_json(model_).dump());
  test::write_safetensors(folder_.path() / "freed" / "model.safetensors",
                          test::stored_form(model_, NameScheme::kHfLlama, values));
  const ModelFile freed = *ModelFile::open(folder_.path() / "freed");
  const ModelFile merged = *ModelFile::with_adapters(freed, slots);
  const auto report = export_adapter(*backend_, {.base = *base_,
                                                 .merged = merged,
                                                 .slots = slots,
                                                 .out = out(),
                                                 .name = "small",
                                                 .base_name = (folder_.path() / "base").string()});
  ASSERT_TRUE(report.ok()) << report.error().text();
  const ModelFile opened = *open_model_at(out());
  for (const ModelTensor& tensor : merged.tensors()) {
    EXPECT_THAT(opened.floats(tensor.name),
                testing::Pointwise(testing::FloatNear(1e-5f), merged.floats(tensor.name)))
        << tensor.name;
  }
  EXPECT_EQ(config()["r"], 6);
  EXPECT_EQ(config()["lora_alpha"], 12.0);
}

TEST_F(AdapterFile, WhatHasNoFileIsRefusedAndLeavesNone) {
  const auto refused = [&](AdapterPlan plan) {
    std::vector<StoredAdapter> slots = slots_;
    slots.front().plan = plan;
    const auto report = write(*base_, slots);
    EXPECT_FALSE(fs::exists(out()));
    EXPECT_FALSE(fs::exists(out().string() + ".partial"));
    return report ? "" : report.error().text();
  };
  EXPECT_THAT(refused({.rank = 3, .restart_every = 5}), HasSubstr("restart_every"));
  EXPECT_THAT(refused({.rank = 3, .rest_trained = true}), HasSubstr("train_rest"));
  EXPECT_THAT(beside_base(*base_, {}).error().text(), HasSubstr("no adapters"));
  // Proved against the run: here it has made something else of the base.
  std::vector<StoredAdapter> others = slots_;
  others.back().plan.scale = 50000;
  const ModelFile merged = *ModelFile::with_adapters(*base_, others);
  const auto report = export_adapter(*backend_, {.base = *base_,
                                                 .merged = merged,
                                                 .slots = slots_,
                                                 .out = out(),
                                                 .name = "small",
                                                 .base_name = (folder_.path() / "base").string()});
  ASSERT_FALSE(report.ok());
  EXPECT_THAT(report.error().text(), HasSubstr("other logits than the run"));
  EXPECT_FALSE(fs::exists(out()));
}

TEST_F(AdapterFile, ModelsOfOtherShapesAreRefused) {
  const ModelConfig gpt2 = test::small_gpt2(4);
  fs::create_directories(folder_.path() / "gpt2");
  folder_.write("gpt2/config.json", test::gpt2_json(gpt2).dump());
  test::write_safetensors(
      folder_.path() / "gpt2" / "model.safetensors",
      test::stored_form(gpt2, NameScheme::kHfGpt2, test::distinct_values(gpt2)));
  const ModelFile base = *ModelFile::open(folder_.path() / "gpt2");
  const auto report = write(base, {adapter_of(base, "layers.0.mlp.up", 3)}, "gpt2");
  ASSERT_FALSE(report.ok());
  EXPECT_THAT(report.error().text(), HasSubstr("q, k and v as one matrix"));
  EXPECT_FALSE(fs::exists(out().string() + ".partial"));
}

TEST_F(AdapterFile, ABaseThatIsAnotherIsNamed) {
  ASSERT_TRUE(write(*base_, slots_).ok());
  ModelConfig wide = model_;
  wide.dim = 64;
  write_base("wide", wide);
  change("base_model_name_or_path", "../wide");
  EXPECT_THAT(refusal(), testing::AllOf(HasSubstr("layers.0.mlp.down_proj.lora_B.weight"),
                                        HasSubstr("is [32, 3]"), HasSubstr("would be [64, 3]")));
  ModelConfig other = model_;
  other.vocab_size = 44;  // all values move
  write_base("other", other);
  change("base_model_name_or_path", "../other");
  EXPECT_THAT(refusal(), testing::AllOf(HasSubstr("other weights"), HasSubstr(model_hash(*base_))));
  change("base_model_name_or_path", "org/missing");
  EXPECT_THAT(refusal(), HasSubstr("\"org/missing\""));
  change("base_model_name_or_path", out().string());
  EXPECT_THAT(refusal(), HasSubstr("an adapter itself"));
}

TEST_F(AdapterFile, WhatItsConfigSaysOtherwiseIsRefused) {
  ASSERT_TRUE(write(*base_, slots_).ok());
  const Json good = config();
  struct Wrong {
    std::string key;
    Json value;
    std::string named;
  };
  for (const auto& [key, value, named] : std::vector<Wrong>{
           {"peft_type", "IA3", "peft_type"},
           {"use_dora", true, "use_dora"},
           {"bias", "all", "bias is"},
           {"lora_bias", true, "lora_bias"},
           {"modules_to_save", {"lm_head"}, "modules_to_save"},
           {"rank_pattern", {{"q_proj", 4}}, "rank_pattern"},
           {"alpha_pattern", {{"q_proj", 4}}, "alpha_pattern"},
           {"init_lora_weights", "pissa_niter_4", "pissa_niter_4"},
           {"r", 0, "r is no number"},
           {"r", "three", "r is no number"},
           {"r", 4, "would be [4, 64]"},
           {"lora_alpha", "much", "lora_alpha"},
           {"lora_alpha", nullptr, "lora_alpha"},
           {"base_model_name_or_path", 7, "base_model_name_or_path"},
           {"target_modules", {"q_proj", "query"}, "\"query\""},
           {"target_modules", {7}, "holds 7"},
           {"target_modules", {"q_proj", "v_proj"}, "v_proj.lora_A.weight is missing"}}) {
    folder_.write("adapter/adapter_config.json", good.dump());
    change(key, value);
    EXPECT_THAT(refusal(), HasSubstr(named)) << key << " " << value;
  }
  folder_.write("adapter/adapter_config.json", "[]");
  EXPECT_THAT(refusal(), HasSubstr("not a JSON object"));
  folder_.write("adapter/adapter_config.json", "{");
  EXPECT_THAT(refusal(), HasSubstr("not valid JSON"));
}

TEST_F(AdapterFile, DamagedMatricesAreNamed) {
  const auto broken = [&](const std::function<void(std::map<std::string, test::Stored>&)>& how,
                          StoredType type = StoredType::kF32) {
    fs::remove_all(out());
    EXPECT_TRUE(write(*base_, slots_).ok());
    rewrite(how, type);
    return refusal();
  };
  EXPECT_THAT(broken([](auto& all) { all.erase(kQ0 + ".lora_B.weight"); }),
              HasSubstr(kQ0 + ".lora_B.weight is missing"));
  EXPECT_THAT(broken([](auto& all) { all[kQ0 + ".lora_A.weight"].values[5] = NAN; }),
              HasSubstr(kQ0 + ".lora_A.weight holds values that are not finite"));
  EXPECT_THAT(broken([](auto& all) {
                all["base_model.model.lm_head.lora_A.weight"] = {{1}, {0}};
              }),
              HasSubstr("lm_head.lora_A.weight has no place"));
  EXPECT_THAT(broken([](auto& all) {
                all[kQ0 + ".lora_magnitude_vector"] = {{1}, {0}};
              }),
              HasSubstr("lora_magnitude_vector has no place"));
  EXPECT_THAT(broken([](auto& all) { all["x"] = {{1}, {0}}; }), HasSubstr("x has no place"));
  EXPECT_THAT(broken([](auto& all) {
                all[kQ0 + ".lora_A.weight"].shape = {32, 3};
              }),
              HasSubstr("is [32, 3]"));
  EXPECT_THAT(broken([](auto& all) { all.clear(); }), testing::Not(testing::IsEmpty()));
  fs::remove(out() / "adapter_model.safetensors");
  EXPECT_THAT(refusal(), HasSubstr("adapter_model.safetensors"));
}

}  // namespace
}  // namespace lathe
