// A block's pass over new positions of a sequence whose former keys and values are kept.
#include <utility>

#include "engine/nn/block.h"

namespace lathe {

Tensor Block::attend_cached(TensorRef x, const KvCache& cache, std::int64_t index) {
  const std::int64_t count = x.rows();
  const std::int64_t past = cache.length();
  CHECK(past + count <= cache.capacity(), "new positions fit the cache");
  const TensorRef keys = cache.keys(index).row_range(past, count);
  const TensorRef values = cache.values(index).row_range(past, count);
  Tensor q = workspace(*backend_, name_, "q", Shape{count, q_dim_});
  {
    const Tensor input = normed(x, attention_norm_, nullptr);
    Linear::forward_together(input, {{&q_, q}, {&k_, keys}, {&v_, values}});
  }
  if (rotates()) {
    for (RopeArgs turn : {rotation(q.ref().reshaped(Shape{1, count, q_dim_}), heads_),
                          rotation(keys.reshaped(Shape{1, count, kv_dim_}), kv_heads_)}) {
      turn.first_position = past;
      ops::rope(*backend_, turn);
    }
  }
  Tensor attended = workspace(*backend_, name_, "attended", Shape{count, q_dim_});
  const Tensor scratch =
      workspace(*backend_, name_, "attention",
                Shape{attention_cached_workspace_elements(past + count, backend_->parallelism())});
  ops::attention_cached(*backend_, {.q = q,
                                    .k = cache.keys(index).row_range(0, past + count),
                                    .v = cache.values(index).row_range(0, past + count),
                                    .out = attended,
                                    .workspace = scratch,
                                    .heads = heads_,
                                    .kv_heads = kv_heads_,
                                    .window = model_.window});
  return attended;
}

Tensor Block::infer(Tensor x, const KvCache& cache, std::int64_t index) {
  backend_->ledger().set_phase("inference " + name_);
  Tensor mid = workspace(*backend_, name_, "mid", x.shape());
  o_.forward(attend_cached(x, cache, index), mid, nullptr);
  ops::add(*backend_, {.a = mid, .b = x, .out = mid});
  x.reset();
  BlockSaved passing;
  return mlp_forward(mid, {.batch = 1, .seq_len = mid.shape().rows()}, passing, false, {});
}

}  // namespace lathe
