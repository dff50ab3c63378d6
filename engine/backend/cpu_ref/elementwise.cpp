// add, scale, copy, dropout, fill, random_fill, sum_squares.
#include <cstring>

#include "engine/backend/cpu_ref/cpu_ref_backend.h"
#include "engine/backend/dropout_values.h"
#include "engine/backend/random_values.h"

namespace lathe::cpu_ref {

void add(Backend&, const AddArgs& args) {
  for (std::int64_t i = 0; i < args.out.elements(); ++i) {
    args.out.f32()[i] = args.a.f32()[i] + args.b.f32()[i];
  }
}

void bias_add(Backend&, const BiasAddArgs& args) {
  const std::int64_t width = args.x.cols();
  for (std::int64_t i = 0; i < args.x.elements(); ++i) {
    args.x.f32()[i] += args.bias.f32()[i % width];
  }
}

void bias_backward(Backend&, const BiasBackwardArgs& args) {
  const std::int64_t width = args.dy.cols();
  for (std::int64_t i = 0; i < width; ++i) {
    double sum = args.dbias.f32()[i];
    for (std::int64_t row = 0; row < args.dy.rows(); ++row) {
      sum += double(args.dy.f32()[row * width + i]);
    }
    args.dbias.f32()[i] = static_cast<float>(sum);
  }
}

void column_scale(Backend&, const ColumnScaleArgs& args) {
  const std::int64_t width = args.x.cols();
  for (std::int64_t i = 0; i < args.x.elements(); ++i) {
    const double shift = args.shift.defined() ? double(args.shift.f32()[i % width]) : 0.0;
    args.y.f32()[i] =
        static_cast<float>(double(args.gain.f32()[i % width]) * double(args.x.f32()[i]) + shift);
  }
}

void column_dot(Backend&, const ColumnDotArgs& args) {
  const std::int64_t width = args.a.cols();
  for (std::int64_t i = 0; i < width; ++i) {
    double sum = args.sums.f32()[i];
    for (std::int64_t at = i; at < args.a.elements(); at += width) {
      sum += double(args.a.f32()[at]) * double(args.b.f32()[at]);
    }
    args.sums.f32()[i] = static_cast<float>(sum);
  }
}

void scale(Backend&, const ScaleArgs& args) {
  for (std::int64_t i = 0; i < args.x.elements(); ++i) {
    args.x.f32()[i] *= args.factor;
  }
}

void copy(Backend&, const CopyArgs& args) {
  if (args.to.bytes() > 0) {
    std::memcpy(args.to.data, args.from.data, static_cast<std::size_t>(args.to.bytes()));
  }
}

void fill(Backend&, const FillArgs& args) {
  for (std::int64_t i = 0; i < args.out.elements(); ++i) {
    args.out.f32()[i] = args.value;
  }
}

void dropout(Backend&, const DropoutArgs& args) {
  write_dropout(args, 0, args.x.elements());
}

void random_fill(Backend&, const RandomFillArgs& args) {
  write_random_values(args, 0, args.out.elements());
}

}  // namespace lathe::cpu_ref
