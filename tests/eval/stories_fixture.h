// The pretrained stories260k as a model to evaluate. LATHE_DATA names the folder of the data sets;
// without it the tests are skipped.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "engine/eval/eval_model.h"
#include "tests/support/llama2c.h"

namespace lathe::test {

class StoriesFixture : public testing::Test {
 protected:
  static constexpr std::int32_t kBos = 1;

  void SetUp() override {
    const char* folder = std::getenv("LATHE_DATA");
    if (folder == nullptr) {
      GTEST_SKIP() << "LATHE_DATA does not name the folder of the data sets";
    }
    data_ = folder;
    backend_ = std::move(*make_backend("cpu", 2));
    model_ = std::make_unique<Llama2cModel>(*backend_, data_ + "/stories260k/stories260K.bin");
    tokenizer_ = std::make_unique<Llama2cTokenizer>(data_ + "/stories260k/tok512.bin");
  }

  EvalModel eval_model() {
    return {.backend = backend_.get(),
            .transformer = &model_->transformer(),
            .vocab_size = model_->config().vocab_size,
            .context = model_->context(),
            .prefix_id = kBos,
            .encode = [this](std::string_view text, bool) { return tokenizer_->encode(text); }};
  }

  std::string data_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Llama2cModel> model_;
  std::unique_ptr<Llama2cTokenizer> tokenizer_;
};

}  // namespace lathe::test
