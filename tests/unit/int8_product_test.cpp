// LLM.int8's product: how far it may lie off, what the columns in floats are worth, and models
// whose slots use it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "engine/base/rng.h"
#include "engine/lm/language_model.h"
#include "engine/lm/logit_probe.h"
#include "engine/quant/stored_matrix.h"
#include "tests/support/model_folder.h"

namespace lathe {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kRows = 24, kOut = 80, kIn = 256;
// A column and how much larger it is than the others.
constexpr std::int64_t kLoud = 37;
constexpr float kLouder = 20;

float largest(const float* values, std::int64_t count) {
  float most = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    most = std::max(most, std::fabs(values[i]));
  }
  return most;
}

class Int8Product : public testing::TestWithParam<const char*> {
 protected:
  Int8Product()
      : x_(kRows * kIn), w_(kOut * kIn), codes_(matrix_bytes(DType::kInt8Row, kOut, kIn)) {
    Rng rng(5, 1);
    for (std::vector<float>* values : {&x_, &w_}) {
      for (float& value : *values) {
        value = static_cast<float>(2 * rng.next_unit() - 1);
      }
    }
    encode_matrix(DType::kInt8Row, w_.data(), kOut, kIn, codes_.data());
  }
  void make_loud() {
    for (std::int64_t n = 0; n < kRows; ++n) {
      x_[static_cast<std::size_t>(n * kIn + kLoud)] *= kLouder;
    }
  }
  std::vector<float> product(float threshold) {
    const Tensor x(backend_->allocator(), DType::kF32, Shape{kRows, kIn}, {});
    const Tensor w(backend_->allocator(), DType::kInt8Row, Shape{kOut, kIn}, {});
    const Tensor y(backend_->allocator(), DType::kF32, Shape{kRows, kOut}, {});
    backend_->write(x, x_.data(), x.ref().bytes());
    backend_->write(w, codes_.data(), w.ref().bytes());
    const Tensor room(backend_->allocator(), DType::kF32,
                      Shape{int8_matmul_workspace_elements(w, kRows, backend_->parallelism())}, {});
    ops::int8_matmul(*backend_,
                     {.x = x, .w = w, .y = y, .workspace = room, .threshold = threshold});
    std::vector<float> out(kRows * kOut);
    backend_->read(y, out.data(), y.ref().bytes());
    return out;
  }
  // In double, with these weights.
  std::vector<double> exact(const std::vector<float>& weights) const {
    std::vector<double> y;
    for (std::int64_t n = 0; n < kRows; ++n) {
      for (std::int64_t o = 0; o < kOut; ++o) {
        double sum = 0;
        for (std::int64_t i = 0; i < kIn; ++i) {
          sum += double(x_[static_cast<std::size_t>(n * kIn + i)]) *
                 double(weights[static_cast<std::size_t>(o * kIn + i)]);
        }
        y.push_back(sum);
      }
    }
    return y;
  }
  // Root of the mean square of what rounding the activations loses.
  double loss(float threshold) {
    std::vector<float> decoded(w_.size());
    decode_matrix(stored_matrix(DType::kInt8Row, codes_.data(), kOut, kIn), decoded.data());
    const std::vector<double> wanted = exact(decoded);
    const std::vector<float> got = product(threshold);
    double squares = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      squares += (got[i] - wanted[i]) * (got[i] - wanted[i]);
    }
    return std::sqrt(squares / static_cast<double>(got.size()));
  }

  std::unique_ptr<Backend> backend_ = std::move(make_backend(GetParam(), 2)).value();
  std::vector<float> x_, w_;
  std::vector<std::byte> codes_;
};

// Both are off by half a step of 1 / 127 of their row's largest, or less.
TEST_P(Int8Product, LiesWithinTheRoundingOfBoth) {
  const std::vector<double> wanted = exact(w_);
  const std::vector<float> got = product(6);
  const double step = 1.0 / 127 + 1.0 / (4.0 * 127 * 127);
  for (std::int64_t n = 0; n < kRows; ++n) {
    for (std::int64_t o = 0; o < kOut; ++o) {
      const double bound = kIn * double(largest(x_.data() + n * kIn, kIn)) *
                           double(largest(w_.data() + o * kIn, kIn)) * step;
      const auto at = static_cast<std::size_t>(n * kOut + o);
      ASSERT_LE(std::fabs(got[at] - wanted[at]), bound) << n << ' ' << o;
    }
  }
}

TEST_P(Int8Product, ALoudColumnCostsNothingWhereItIsLeftOut) {
  const double quiet = loss(6);
  make_loud();
  EXPECT_GT(loss(0), 8 * quiet);
  EXPECT_LT(loss(6), 1.05 * quiet);
  EXPECT_GT(loss(6), 0);
}

TEST_P(Int8Product, WhatIsNotFiniteStaysSo) {
  x_[kLoud] = std::nanf("");
  const std::vector<float> got = product(0);
  EXPECT_TRUE(std::isnan(got[0]));
  EXPECT_TRUE(std::isfinite(got[kOut]));
}

INSTANTIATE_TEST_SUITE_P(Backends, Int8Product, testing::Values("cpu", "cpu_ref"));

class Int8Model : public testing::Test {
 protected:
  Int8Model()
      : folder_(testing::UnitTest::GetInstance()->current_test_info()->name()),
        backend_(std::move(*make_backend("cpu", 1))) {
    test::write_gguf(folder_.path() / "m.gguf", test::small_llama(),
                     test::random_values(test::small_llama()));
  }
  ModelFile dense() const { return *ModelFile::open(folder_.path() / "m.gguf"); }
  // Its slots as int8_row.
  ModelFile rounded() const {
    const ModelFile file = dense();
    std::map<std::string, StoredValues> weights;
    for (const LinearPlan& slot : file.plans()) {
      const std::vector<float> values = file.floats(slot.name + ".weight");
      StoredValues& stored = weights[slot.name + ".weight"];
      stored.type = StoredType::kInt8Row;
      stored.bytes.resize(matrix_bytes(DType::kInt8Row, slot.out, slot.in));
      encode_matrix(DType::kInt8Row, values.data(), slot.out, slot.in, stored.bytes.data());
    }
    return ModelFile::with_stored(file, std::move(weights));
  }
  std::vector<float> logits(std::optional<double> threshold) {
    auto model = LanguageModel::open(*backend_, rounded(), WeightForm::kAsStored, threshold);
    return probe_logits(*backend_, model->transformer(), model->config());
  }

  test::ModelFolder folder_;
  std::unique_ptr<Backend> backend_;
};

TEST_F(Int8Model, SlotsRoundWhatTheyRead) {
  const std::vector<float> floats = logits({});
  const double off = max_difference(floats, logits(6.0));
  EXPECT_GT(off, 0);
  EXPECT_LT(off, 0.05 * double(largest(floats.data(), static_cast<std::int64_t>(floats.size()))));
  EXPECT_LT(max_difference(floats, logits(1e-6)), 1e-5);  // all in floats
}

// Rows are rounded by themselves, so a token decoded alone sees the codes that it has in a prompt.
TEST_F(Int8Model, ATokenAloneGetsWhatItGetsAmongOthers) {
  auto model = LanguageModel::open(*backend_, rounded(), WeightForm::kAsStored, 0.0);
  const std::vector<std::int32_t> ids{3, 1, 4, 1, 5, 9, 2, 6};
  const auto count = static_cast<std::int64_t>(ids.size());
  const auto by = [&](std::int64_t piece) {
    KvCache cache(*backend_, model->config(), count);
    std::vector<float> last(static_cast<std::size_t>(model->config().vocab_size));
    for (std::int64_t first = 0; first < count; first += piece) {
      const Tensor in = workspace(*backend_, "t", "ids", Shape{piece}, DType::kI32);
      const Tensor out =
          workspace(*backend_, "t", "logits", Shape{piece, model->config().vocab_size});
      backend_->write(in, ids.data() + first, 4 * piece);
      model->transformer().infer(in, cache, out);
      std::vector<float> all(static_cast<std::size_t>(out.ref().elements()));
      backend_->read(out, all.data(), out.ref().bytes());
      last.assign(all.end() - model->config().vocab_size, all.end());
    }
    return last;
  };
  EXPECT_LT(max_difference(by(1), by(count)), 1e-3);
}

// Rows that are looked up share tables with others there, too.
TEST_F(Int8Model, AnEmbeddingOfRowsWithTablesIsLookedUp) {
  const ModelFile file = dense();
  const ModelTensor& table = *file.find("embedding.weight");
  const std::vector<float> values = file.floats(table.name);
  StoredValues stored{.type = StoredType::kInt8Row, .bytes = {}};
  stored.bytes.resize(
      static_cast<std::size_t>(matrix_bytes(stored.type, table.shape[0], table.shape[1])));
  encode_matrix(stored.type, values.data(), table.shape[0], table.shape[1], stored.bytes.data());
  const auto logits_of = [&](const ModelFile& of) {
    auto model = LanguageModel::open(*backend_, of, WeightForm::kAsStored);
    return probe_logits(*backend_, model->transformer(), model->config());
  };
  const std::vector<float> whole = logits_of(file);
  const double off =
      max_difference(whole, logits_of(ModelFile::with_stored(file, {{table.name, stored}})));
  EXPECT_GT(off, 0);
  EXPECT_LT(off, 0.05 * double(largest(whole.data(), static_cast<std::int64_t>(whole.size()))));
}

TEST_F(Int8Model, WithoutSuchMatricesItIsRefused) {
  const auto opened = LanguageModel::open(*backend_, dense(), WeightForm::kAsStored, 6.0);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(opened.error().text(),
              testing::AllOf(HasSubstr("has no matrix of int8_row"), HasSubstr("lathe compress")));
}

}  // namespace
}  // namespace lathe
