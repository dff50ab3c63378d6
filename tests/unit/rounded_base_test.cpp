// A model rounded as adapters are trained beside it: types, values, and rows that can be read as
// they lie, whatever the file has.
#include "engine/lm/rounded_base.h"

#include <gtest/gtest.h>

#include "engine/lm/model_export.h"
#include "engine/nn/weight_store.h"
#include "tests/support/model_folder.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

// GPT-2's files keep matrices transposed, and q, k and v as one.
TEST(RoundedBase, TurnsWhatLiesTransposedAlsoWhereItsTypeIsTheOneWanted) {
  const test::ModelFolder folder("rounded_base");
  const ModelConfig model = test::small_gpt2(4);
  fs::create_directories(folder.path() / "f32");
  folder.write("f32/config.json", test::gpt2_json(model).dump());
  test::write_safetensors(
      folder.path() / "f32" / "model.safetensors",
      test::stored_form(model, NameScheme::kHfGpt2, test::distinct_values(model)));
  const auto backend = make_backend("cpu", 1);
  const ModelFile source = *ModelFile::open(folder.path() / "f32");
  const auto report = export_model(**backend, source, source.plans(),
                                   {.format = ModelFormat::kHuggingFace,
                                    .type = StoredType::kF16,
                                    .out = folder.path() / "f16",
                                    .name = "f16"});
  ASSERT_TRUE(report.ok()) << report.error().text();
  const ModelFile file = *ModelFile::open(folder.path() / "f16");
  const ModelFile rounded = rounded_base(file, StoredType::kF16);
  for (const LinearPlan& plan : file.plans()) {
    const std::string name = plan.name + ".weight";
    ASSERT_EQ(file.find(name)->stored.type, StoredType::kF16) << name;
    EXPECT_EQ(rounded.find(name)->stored.type, StoredType::kF16) << name;
    EXPECT_TRUE(has_stored_rows(*rounded.find(name))) << name;
    EXPECT_EQ(rounded.floats(name), file.floats(name)) << name;
  }
  EXPECT_EQ(rounded.find("embedding.weight")->stored.type, kTableType);
  EXPECT_EQ(rounded.floats("final_norm.gain"), file.floats("final_norm.gain"));
}

}  // namespace
}  // namespace lathe
