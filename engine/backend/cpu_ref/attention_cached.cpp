// Attention over kept keys and values, row by row in double.
#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/backend/cpu_ref/cpu_ref_backend.h"

namespace lathe::cpu_ref {

void attention_cached(Backend&, const AttentionCachedArgs& args) {
  const std::int64_t head_dim = args.q.cols() / args.heads;
  const std::int64_t group = args.heads / args.kv_heads;
  const std::int64_t kv_width = args.k.cols();
  for (std::int64_t item = 0; item < args.q.rows() * args.heads; ++item) {
    const std::int64_t head = item % args.heads;
    const KeyRange keys = visible_keys(args, item / args.heads);
    const float* q = args.q.f32() + item * head_dim;
    const float* k = args.k.f32() + head / group * head_dim;
    const float* v = args.v.f32() + head / group * head_dim;
    std::vector<double> weights;
    for (std::int64_t j = keys.first; j < keys.end; ++j) {
      double dot = 0.0;
      for (std::int64_t i = 0; i < head_dim; ++i) {
        dot += double(q[i]) * double(k[j * kv_width + i]);
      }
      weights.push_back(dot / std::sqrt(double(head_dim)));
    }
    const double top = *std::max_element(weights.begin(), weights.end());
    double sum = 0.0;
    for (double& weight : weights) {
      weight = std::exp(weight - top);
      sum += weight;
    }
    for (std::int64_t i = 0; i < head_dim; ++i) {
      double mixed = 0.0;
      for (std::int64_t j = keys.first; j < keys.end; ++j) {
        mixed += weights[static_cast<std::size_t>(j - keys.first)] * double(v[j * kv_width + i]);
      }
      args.out.f32()[item * head_dim + i] = static_cast<float>(mixed / sum);
    }
  }
}

}  // namespace lathe::cpu_ref
