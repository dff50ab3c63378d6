// Attention, row by row; only one row of scores exists at a time. Backward, with
// p = softmax(scores): dv = p^T dout, ds = p * (dout v^T - sum(dout * out)) * scale, dq = ds k,
// dk = ds^T q.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/backend/cpu_ref/cpu_ref_backend.h"
#include "engine/base/portable_math.h"

namespace lathe::cpu_ref {
namespace {

// Where head `head` of row (b, t) starts in a [B, T, heads * head_dim] tensor.
struct HeadView {
  std::int64_t length, heads, head_dim;
  std::int64_t at(std::int64_t b, std::int64_t t, std::int64_t head) const {
    return ((b * length + t) * heads + head) * head_dim;
  }
};

double dot(const float* a, const float* b, std::int64_t n) {
  double sum = 0.0;
  for (std::int64_t i = 0; i < n; ++i) {
    sum += double(a[i]) * double(b[i]);
  }
  return sum;
}

void add_scaled(std::vector<double>& sums, std::int64_t at, double factor, const float* x,
                std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    sums[static_cast<std::size_t>(at + i)] += factor * double(x[i]);
  }
}

void store(const std::vector<double>& sums, float* out) {
  std::transform(sums.begin(), sums.end(), out, [](double x) { return static_cast<float>(x); });
}

// Keys [first, last] that query t of sequence b sees.
struct Visible {
  std::int64_t first, last;
};

Visible visible_keys(const TensorRef& q, const TensorRef& k, const TensorRef& first_key,
                     bool causal, std::int64_t b, std::int64_t t) {
  const std::int64_t first = first_key.defined() ? first_key.i32()[b * q.shape[1] + t] : 0;
  return {first, causal ? k.shape[1] - q.shape[1] + t : k.shape[1] - 1};
}

}  // namespace

void attention_forward(Backend&, const AttentionForwardArgs& args) {
  const std::int64_t length = args.q.shape[1];
  const std::int64_t head_dim = args.q.cols() / args.heads;
  const HeadView q_view{length, args.heads, head_dim};
  const HeadView kv_view{args.k.shape[1], args.kv_heads, head_dim};
  const double scale = 1.0 / std::sqrt(double(head_dim));
  std::vector<double> scores(static_cast<std::size_t>(args.k.shape[1]));
  for (std::int64_t b = 0; b < args.q.shape[0]; ++b) {
    for (std::int64_t head = 0; head < args.heads; ++head) {
      const std::int64_t kv_head = head / (args.heads / args.kv_heads);
      for (std::int64_t t = 0; t < length; ++t) {
        const Visible keys = visible_keys(args.q, args.k, args.first_key, args.causal, b, t);
        const float* q = args.q.f32() + q_view.at(b, t, head);
        double top = -std::numeric_limits<double>::infinity();
        for (std::int64_t s = keys.first; s <= keys.last; ++s) {
          const double score = scale * dot(q, args.k.f32() + kv_view.at(b, s, kv_head), head_dim);
          scores[static_cast<std::size_t>(s)] = score;
          top = score > top || std::isnan(score) ? score : top;
        }
        double sum = 0.0;
        std::vector<double> out(static_cast<std::size_t>(head_dim), 0.0);
        for (std::int64_t s = keys.first; s <= keys.last; ++s) {
          const double weight = portable::exp(scores[static_cast<std::size_t>(s)] - top);
          sum += weight;
          add_scaled(out, 0, weight, args.v.f32() + kv_view.at(b, s, kv_head), head_dim);
        }
        for (double& value : out) {
          value /= sum;
        }
        store(out, args.out.f32() + q_view.at(b, t, head));
        if (args.lse.defined()) {
          args.lse.f32()[(b * args.heads + head) * length + t] =
              static_cast<float>(top + portable::log(sum));
        }
      }
    }
  }
}

void attention_backward(Backend&, const AttentionBackwardArgs& args) {
  const std::int64_t length = args.q.shape[1];
  const std::int64_t head_dim = args.q.cols() / args.heads;
  const HeadView q_view{length, args.heads, head_dim};
  const HeadView kv_view{args.k.shape[1], args.kv_heads, head_dim};
  const double scale = 1.0 / std::sqrt(double(head_dim));
  std::vector<double> dq(static_cast<std::size_t>(args.dq.elements()), 0.0);
  std::vector<double> dk(static_cast<std::size_t>(args.dk.elements()), 0.0);
  std::vector<double> dv(static_cast<std::size_t>(args.dv.elements()), 0.0);
  for (std::int64_t b = 0; b < args.q.shape[0]; ++b) {
    for (std::int64_t head = 0; head < args.heads; ++head) {
      const std::int64_t kv_head = head / (args.heads / args.kv_heads);
      for (std::int64_t t = 0; t < length; ++t) {
        const Visible keys = visible_keys(args.q, args.k, args.first_key, args.causal, b, t);
        const std::int64_t row = q_view.at(b, t, head);
        const float* dout = args.dout.f32() + row;
        const double shared = dot(dout, args.out.f32() + row, head_dim);
        const double lse = args.lse.f32()[(b * args.heads + head) * length + t];
        for (std::int64_t s = keys.first; s <= keys.last; ++s) {
          const std::int64_t key = kv_view.at(b, s, kv_head);
          const double score = scale * dot(args.q.f32() + row, args.k.f32() + key, head_dim);
          const double p = portable::exp(score - lse);
          const double ds = p * (dot(dout, args.v.f32() + key, head_dim) - shared) * scale;
          add_scaled(dv, key, p, dout, head_dim);
          add_scaled(dk, key, ds, args.q.f32() + row, head_dim);
          add_scaled(dq, row, ds, args.k.f32() + key, head_dim);
        }
      }
    }
  }
  store(dq, args.dq.f32());
  store(dk, args.dk.f32());
  store(dv, args.dv.f32());
}

}  // namespace lathe::cpu_ref
