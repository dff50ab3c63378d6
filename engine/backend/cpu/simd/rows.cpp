// Kernels that go along one row: RMSNorm, rotary embedding, the passes of softmax.
#include "engine/backend/cpu/simd/copies.h"
#include "engine/backend/cpu/simd/vector.h"

namespace lathe::cpu::LATHE_ISA {
namespace {

// Elements whose single-precision sum is taken before it is added in double.
constexpr std::int64_t kSumBlock = 1024;

template <typename Term>
double blocked_sum(std::int64_t count, const Term& term) {
  double total = 0.0;
  for (std::int64_t first = 0; first < count; first += kSumBlock) {
    const std::int64_t block = count - first < kSumBlock ? count - first : kSumBlock;
    Vector sums{};
    sweep(block, [&](auto part) {
      part.at += first;
      sums += keep(part, term(part), 0.0f);
    });
    total += static_cast<double>(sum_of(sums));
  }
  return total;
}

}  // namespace

float rmsnorm_forward(const float* x, const float* gain, float* y, std::int64_t width, float eps) {
  const double squares = blocked_sum(width, [=](auto part) {
    const Vector value = load(x, part);
    return value * value;
  });
  const double mean = squares / static_cast<double>(width);
  const float rstd = static_cast<float>(1.0 / __builtin_sqrt(mean + static_cast<double>(eps)));
  sweep(width, [=](auto part) { store(y, part, load(x, part) * rstd * load(gain, part)); });
  return rstd;
}

void rmsnorm_backward(const RmsnormBackwardRow& row) {
  const double product = blocked_sum(row.width, [=](auto part) {
    return load(row.dy, part) * load(row.gain, part) * (load(row.x, part) * row.rstd);
  });
  const float mean = static_cast<float>(product / static_cast<double>(row.width));
  sweep(row.width, [=](auto part) {
    const Vector dy = load(row.dy, part);
    const Vector normed = load(row.x, part) * row.rstd;
    Vector dx = (dy * load(row.gain, part) - normed * mean) * row.rstd;
    if (row.dx_add != nullptr) {
      dx += load(row.dx_add, part);
    }
    store(row.dx, part, dx);
    store(row.dgain_sums, part, load(row.dgain_sums, part) + dy * normed);
  });
}

void layernorm_forward(const LayernormForwardRow& row) {
  const float* x = row.x;
  const double sum = blocked_sum(row.width, [=](auto part) { return load(x, part); });
  const float mean = static_cast<float>(sum / static_cast<double>(row.width));
  const double squares = blocked_sum(row.width, [=](auto part) {
    const Vector away = load(x, part) - mean;
    return away * away;
  });
  const double variance = squares / static_cast<double>(row.width);
  const auto rstd =
      static_cast<float>(1.0 / __builtin_sqrt(variance + static_cast<double>(row.eps)));
  sweep(row.width, [=](auto part) {
    const Vector y = (load(x, part) - mean) * rstd * load(row.gain, part);
    store(row.y, part, row.bias != nullptr ? y + load(row.bias, part) : y);
  });
  if (row.mean != nullptr) {
    *row.mean = mean;
  }
  if (row.rstd != nullptr) {
    *row.rstd = rstd;
  }
}

void layernorm_backward(const LayernormBackwardRow& row) {
  const double width = static_cast<double>(row.width);
  const double plain =
      blocked_sum(row.width, [=](auto part) { return load(row.dy, part) * load(row.gain, part); });
  const double product = blocked_sum(row.width, [=](auto part) {
    return load(row.dy, part) * load(row.gain, part) * ((load(row.x, part) - row.mean) * row.rstd);
  });
  const auto plain_mean = static_cast<float>(plain / width);
  const auto product_mean = static_cast<float>(product / width);
  sweep(row.width, [=](auto part) {
    const Vector dy = load(row.dy, part);
    const Vector normed = (load(row.x, part) - row.mean) * row.rstd;
    Vector dx = (dy * load(row.gain, part) - plain_mean - normed * product_mean) * row.rstd;
    if (row.dx_add != nullptr) {
      dx += load(row.dx_add, part);
    }
    store(row.dx, part, dx);
    store(row.dgain_sums, part, load(row.dgain_sums, part) + dy * normed);
    if (row.dbias_sums != nullptr) {
      store(row.dbias_sums, part, load(row.dbias_sums, part) + dy);
    }
  });
}

namespace {

void rope_interleaved(const RopeRow& row) {
  for (std::int64_t head = 0; head < row.heads; ++head) {
    float* x = row.x + head * row.head_dim;
    for (std::int64_t i = 0; i < row.head_dim / 2; ++i) {
      const float a = x[2 * i];
      const float b = x[2 * i + 1];
      const float sine = row.sines[i] * row.sign;
      x[2 * i] = a * row.cosines[i] - b * sine;
      x[2 * i + 1] = b * row.cosines[i] + a * sine;
    }
  }
}

}  // namespace

void rope(const RopeRow& row) {
  if (row.interleaved) {
    rope_interleaved(row);
    return;
  }
  const std::int64_t half = row.head_dim / 2;
  for (std::int64_t head = 0; head < row.heads; ++head) {
    float* low = row.x + head * row.head_dim;
    float* high = low + half;
    sweep(half, [=](auto part) {
      const Vector a = load(low, part);
      const Vector b = load(high, part);
      const Vector cosine = load(row.cosines, part);
      const Vector sine = load(row.sines, part) * row.sign;
      store(low, part, a * cosine - b * sine);
      store(high, part, b * cosine + a * sine);
    });
  }
}

float row_max(const float* x, std::int64_t count) {
  Vector top = splat(-__builtin_inff());
  sweep(count, [&](auto part) { top = larger(keep(part, load(x, part), x[0]), top); });
  return max_of(top);
}

bool all_finite(const float* x, std::int64_t count) {
  // Zero times an infinity or a NaN is a NaN, and stays one in the sum.
  return blocked_sum(count, [=](auto part) { return load(x, part) * 0.0f; }) == 0.0;
}

double exp_sum(const float* x, float offset, std::int64_t count) {
  return blocked_sum(count, [=](auto part) { return exp_of(load(x, part) - offset); });
}

double exp_sum_in_place(float* x, float offset, std::int64_t count) {
  return blocked_sum(count, [=](auto part) {
    const Vector e = exp_of(load(x, part) - offset);
    store(x, part, e);
    return e;
  });
}

double scaled_exp_sum(const float* x, float offset, float factor, std::int64_t count) {
  return blocked_sum(count, [=](auto part) { return exp_of((load(x, part) - offset) * factor); });
}

double distill_distance(const DistillRow& row) {
  return blocked_sum(row.count, [=](auto part) {
    const Vector taught = (load(row.teacher, part) - row.teacher_top) * row.inverse_temperature;
    const Vector own = (load(row.logits, part) - row.top) * row.inverse_temperature;
    return exp_of(taught) * (taught - own);
  });
}

void distill_gradient(const DistillRow& row) {
  sweep(row.count, [=](auto part) {
    const Vector taught = (load(row.teacher, part) - row.teacher_top) * row.inverse_temperature;
    const Vector logit = load(row.logits, part) - row.top;
    const Vector soft =
        exp_of(logit * row.inverse_temperature) * row.own_share - exp_of(taught) * row.taught_share;
    store(row.logits, part, exp_of(logit) * row.plain_share + soft);
  });
}

}  // namespace lathe::cpu::LATHE_ISA
