// Memory of the cache and its fill.
#include "engine/nn/kv_cache.h"

#include <string>

namespace lathe {

KvCache::KvCache(Backend& backend, const ModelConfig& model, std::int64_t capacity)
    : capacity_(capacity) {
  const Shape shape{capacity, model.head_dim() * model.kv_head_count()};
  for (std::int64_t i = 0; i < model.layers; ++i) {
    const std::string layer = "layers." + std::to_string(i) + ".attention";
    const auto rows = [&](const char* name) {
      return Tensor(backend.allocator(), DType::kF32, shape, {Category::kKvCache, layer, name});
    };
    layers_.push_back({rows("keys"), rows("values")});
  }
}

void KvCache::advance(std::int64_t count) {
  CHECK(count >= 0 && length_ + count <= capacity_, "the cache is full");
  length_ += count;
}

void KvCache::truncate(std::int64_t length) {
  CHECK(length >= 0 && length <= length_, "a cache is only made shorter");
  length_ = length;
}

}  // namespace lathe
