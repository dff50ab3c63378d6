// The files of llama2.c (github.com/karpathy/llama2.c): a tiny pretrained LLaMA and its tokenizer,
// for checks against numbers that others computed. Trusted test data: read without suspicion.
#pragma once

#include <array>
#include <cstdint>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/nn/transformer.h"

namespace lathe::test {

class Llama2cModel {
 public:
  Llama2cModel(Backend& backend, const std::string& path) : file_(path, std::ios::binary) {
    std::array<std::int32_t, 7> header{};
    file_.read(reinterpret_cast<char*>(header.data()), sizeof header);
    config_ = {.dim = header[0],
               .layers = header[2],
               .heads = header[3],
               .kv_heads = header[4],
               .ff_dim = header[1],
               .vocab_size = header[5]};
    context_ = header[6];
    model_ = std::make_unique<Transformer>(backend, config_, dense_plan(config_));
    read_weights();
    for (Parameter* parameter : model_->parameters()) {
      const std::vector<float>& values = weights_.at(parameter->name);
      backend.write(parameter->weight, values.data(), parameter->weight.ref().bytes());
    }
  }

  Transformer& transformer() { return *model_; }
  const ModelConfig& config() const { return config_; }
  std::int64_t context() const { return context_; }
  const std::map<std::string, std::vector<float>>& weights() const { return weights_; }

 private:
  std::vector<float> floats(std::int64_t count) {
    std::vector<float> values(static_cast<std::size_t>(count));
    file_.read(reinterpret_cast<char*>(values.data()), count * 4);
    return values;
  }
  void read_layers(const std::string& name, std::int64_t count, std::int64_t turned_heads = 0) {
    for (std::int64_t layer = 0; layer < config_.layers; ++layer) {
      std::vector<float> values = floats(count);
      weights_["layers." + std::to_string(layer) + "." + name] =
          turned_heads == 0 ? values : to_halves(values, turned_heads);
    }
  }
  // Rows of neighbouring pairs (2i, 2i + 1) become those of halves (i, i + width / 2).
  std::vector<float> to_halves(const std::vector<float>& from, std::int64_t heads) const {
    std::vector<float> to(from.size());
    const std::int64_t width = config_.head_dim();
    for (std::int64_t row = 0; row < heads * width; ++row) {
      const std::int64_t within = row % width;
      const std::int64_t source =
          row - within + (within < width / 2 ? 2 * within : 2 * (within - width / 2) + 1);
      std::copy_n(from.begin() + source * config_.dim, config_.dim, to.begin() + row * config_.dim);
    }
    return to;
  }
  void read_weights() {
    const std::int64_t dim = config_.dim;
    const std::int64_t kv = config_.kv_heads * config_.head_dim();
    weights_["embedding.weight"] = floats(config_.vocab_size * dim);
    read_layers("attention_norm.gain", dim);
    read_layers("attention.q.weight", dim * dim, config_.heads);
    read_layers("attention.k.weight", kv * dim, config_.kv_heads);
    read_layers("attention.v.weight", kv * dim);
    read_layers("attention.o.weight", dim * dim);
    read_layers("mlp_norm.gain", dim);
    read_layers("mlp.gate.weight", config_.ff_dim * dim);
    read_layers("mlp.down.weight", config_.ff_dim * dim);
    read_layers("mlp.up.weight", config_.ff_dim * dim);
    weights_["final_norm.gain"] = floats(dim);
  }

  std::ifstream file_;
  ModelConfig config_;
  std::int64_t context_ = 0;
  std::unique_ptr<Transformer> model_;
  std::map<std::string, std::vector<float>> weights_;
};

// Its tokenizer: pieces with scores; the best-scored pair is joined until none is left.
class Llama2cTokenizer {
 public:
  explicit Llama2cTokenizer(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::int32_t longest = 0;
    file.read(reinterpret_cast<char*>(&longest), 4);
    float score = 0;
    while (file.read(reinterpret_cast<char*>(&score), 4)) {
      std::int32_t length = 0;
      file.read(reinterpret_cast<char*>(&length), 4);
      std::string piece(static_cast<std::size_t>(length), '\0');
      file.read(piece.data(), length);
      ids_.emplace(piece, static_cast<std::int32_t>(scores_.size()));
      scores_.push_back(score);
      pieces_.push_back(piece);
    }
  }

  std::vector<std::int32_t> encode(std::string_view text) const {
    std::vector<std::int32_t> ids;
    if (!text.empty()) {
      ids.push_back(ids_.at(" "));
    }
    for (std::size_t at = 0; at < text.size();) {
      std::size_t end = at + 1;
      while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) {
        ++end;
      }
      const auto known = ids_.find(std::string(text.substr(at, end - at)));
      if (known != ids_.end()) {
        ids.push_back(known->second);
      } else {
        for (std::size_t i = at; i < end; ++i) {
          ids.push_back(static_cast<unsigned char>(text[i]) + 3);
        }
      }
      at = end;
    }
    while (join_best(ids)) {
    }
    return ids;
  }

 private:
  bool join_best(std::vector<std::int32_t>& ids) const {
    float best = -1e10f;
    std::size_t where = ids.size();
    std::int32_t joined = 0;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto found = ids_.find(piece(ids[i]) + piece(ids[i + 1]));
      if (found != ids_.end() && scores_[static_cast<std::size_t>(found->second)] > best) {
        best = scores_[static_cast<std::size_t>(found->second)];
        where = i;
        joined = found->second;
      }
    }
    if (where == ids.size()) {
      return false;
    }
    ids[where] = joined;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(where) + 1);
    return true;
  }
  const std::string& piece(std::int32_t id) const { return pieces_[static_cast<std::size_t>(id)]; }

  std::map<std::string, std::int32_t> ids_;
  std::vector<float> scores_;
  std::vector<std::string> pieces_;
};

}  // namespace lathe::test
