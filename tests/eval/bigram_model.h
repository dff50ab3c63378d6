// A transformer whose predictions are known in closed form: blocks that add nothing, one-hot
// embeddings and a head of chosen entries, so that the logits after token t are column t of a table
// and depend on nothing before. What an evaluation must give follows by hand.
#pragma once

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/rng.h"
#include "engine/eval/eval_model.h"

namespace lathe::test {

class BigramModel {
 public:
  static constexpr std::int64_t kVocab = 260;  // 256 bytes, the end mark (256), three without use

  // Logits are uniform in (-spread, spread), drawn from `seed`.
  explicit BigramModel(std::uint64_t seed, double spread = 3.0, std::int64_t context = 64)
      : backend_(std::move(*make_backend("cpu", 2))),
        logits_(static_cast<std::size_t>(kVocab * kVocab)),
        context_(context) {
    config_ = {.dim = kWidth, .layers = 1, .heads = 2, .vocab_size = kVocab, .tied = false};
    model_ = std::make_unique<Transformer>(*backend_, config_, dense_plan(config_));
    Rng rng(seed, 1);
    for (double& logit : logits_) {
      logit = spread * (2.0 * rng.next_unit() - 1.0);
    }
    fill_weights();
  }

  EvalModel eval_model() {
    return {.backend = backend_.get(),
            .transformer = model_.get(),
            .config = config_,
            .vocab_size = kVocab,
            .context = context_,
            .prefix_id = 256,
            .encode =
                [this](std::string_view text, bool special) {
                  std::vector<std::int32_t> ids;
                  if (special && adds_prefix) {
                    ids.push_back(256);
                  }
                  for (const char c : text) {
                    ids.push_back(static_cast<unsigned char>(c));
                  }
                  return ids;
                },
            .decode =
                [](std::span<const std::int32_t> ids) {
                  std::string text;
                  for (const std::int32_t id : ids) {
                    text += id < 256 ? std::string(1, static_cast<char>(id)) : "";
                  }
                  return text;
                },
            .end_ids = {256}};
  }

  // Nats of predicting `next` after `token`.
  double nll(std::int32_t token, std::int32_t next) const {
    double sum = 0;
    for (std::int64_t i = 0; i < kVocab; ++i) {
      sum += std::exp(logit(token, i));
    }
    return std::log(sum) - logit(token, next);
  }
  double nll(const std::vector<std::int32_t>& ids, std::size_t first) const {
    double sum = 0;
    for (std::size_t i = first; i < ids.size(); ++i) {
      sum += nll(ids[i - 1], ids[i]);
    }
    return sum;
  }
  double logit(std::int32_t token, std::int64_t next) const {
    return logits_[static_cast<std::size_t>(token * kVocab + next)];
  }
  void set_logit(std::int32_t token, std::int32_t next, double value) {
    logits_[static_cast<std::size_t>(token * kVocab + next)] = value;
    fill_weights();
  }

  // encode(text, special) begins with the end mark.
  bool adds_prefix = false;

 private:
  static constexpr std::int64_t kWidth = 264;  // of the residual stream: room for one-hot rows

  void fill_weights() {
    for (Parameter* parameter : model_->parameters()) {
      std::vector<float> values(static_cast<std::size_t>(parameter->elements()), 0.0f);
      if (parameter->name == "embedding.weight") {
        for (std::size_t i = 0; i < kVocab; ++i) {
          values[i * kWidth + i] = 64.0f;  // beside which the norm's epsilon is nothing
        }
      } else if (parameter->name == "head.weight") {
        for (std::int64_t token = 0; token < kVocab; ++token) {
          for (std::int64_t next = 0; next < kVocab; ++next) {
            values[static_cast<std::size_t>(next * kWidth + token)] =
                static_cast<float>(logit(static_cast<std::int32_t>(token), next) /
                                   std::sqrt(static_cast<double>(kWidth)));
          }
        }
      } else if (parameter->name == "final_norm.gain") {
        values.assign(values.size(), 1.0f);
      }
      backend_->write(parameter->weight, values.data(), parameter->weight.ref().bytes());
    }
  }

  std::unique_ptr<Backend> backend_;
  ModelConfig config_;
  std::unique_ptr<Transformer> model_;
  std::vector<double> logits_;  // [token, next]
  std::int64_t context_;
};

}  // namespace lathe::test
