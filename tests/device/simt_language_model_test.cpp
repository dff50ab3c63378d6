// A language model from a file on the simulated device: its weights are copied there, and its
// logits are those of the cpu back end.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/backend/simt/simt_backend.h"
#include "engine/lm/language_model.h"
#include "tests/support/model_folder.h"

namespace lathe {
namespace {

// Of the new positions, after two that came before: many rows at once, then few.
std::vector<float> logits_of(Backend& backend, const std::filesystem::path& path) {
  LanguageModel model = LanguageModel::open(backend, path, WeightForm::kAsStored).value();
  const std::int64_t vocab = model.config().vocab_size;
  std::vector<float> all;
  KvCache cache(backend, model.config(), 16);
  for (const std::vector<std::int32_t>& ids :
       {std::vector<std::int32_t>{3, 39, 0, 17, 5, 5, 21}, {8, 11}, {30}}) {
    const auto count = static_cast<std::int64_t>(ids.size());
    const Tensor in = workspace(backend, "test", "ids", Shape{count}, DType::kI32);
    const Tensor out = workspace(backend, "test", "logits", Shape{count, vocab});
    backend.write(in, ids.data(), in.ref().bytes());
    model.transformer().infer(in, cache, out);
    std::vector<float> logits(static_cast<std::size_t>(count * vocab));
    backend.read(out, logits.data(), out.ref().bytes());
    all.insert(all.end(), logits.begin(), logits.end());
  }
  return all;
}

class SimtLanguageModel : public testing::TestWithParam<StoredType> {
 protected:
  SimtLanguageModel() {
    const ModelConfig model = test::small_llama();
    test::write_gguf(path_, model, test::distinct_values(model), GetParam());
  }

  test::ModelFolder folder_{"simt_language_model"};
  std::filesystem::path path_ = folder_.path() / "m.gguf";
};

TEST_P(SimtLanguageModel, LiesInTheMemoryOfTheDevice) {
  SimtBackend device(simt::Turns::kAscending);
  const std::int64_t before = device.ledger().live().owned_bytes();
  const LanguageModel model = LanguageModel::open(device, path_, WeightForm::kAsStored).value();
  EXPECT_EQ(device.ledger().live().mapped_bytes, 0);
  EXPECT_GE(device.ledger().live().owned_bytes() - before, model.identity().stored_bytes);
}

TEST_P(SimtLanguageModel, GivesTheLogitsOfTheCpu) {
  const auto cpu = make_backend("cpu", 2).value();
  SimtBackend device(simt::Turns::kAscending);
  const std::vector<float> want = logits_of(*cpu, path_);
  const std::vector<float> got = logits_of(device, path_);
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    EXPECT_NEAR(got[i], want[i], 1e-4f) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(, SimtLanguageModel,
                         testing::Values(StoredType::kF32, StoredType::kF16, StoredType::kQ8_0,
                                         StoredType::kQ4_0),
                         [](const auto& parameter) {
                           return std::string(dtype_name(parameter.param));
                         });

}  // namespace
}  // namespace lathe
