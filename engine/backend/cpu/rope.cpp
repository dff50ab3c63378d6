// Rotary embedding over threads, with a table of angles that is kept from call to call.
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/portable_math.h"

namespace lathe::cpu {
namespace {

void prepare(RotaryTable& table, const RopeArgs& args, std::int64_t head_dim) {
  const std::int64_t positions = args.x.shape[1];
  if (table.theta == args.theta && table.head_dim == head_dim &&
      table.first_position == args.first_position && table.positions >= positions) {
    return;
  }
  const std::int64_t half = head_dim / 2;
  table.theta = args.theta;
  table.head_dim = head_dim;
  table.first_position = args.first_position;
  table.positions = positions;
  table.cosines.resize(static_cast<std::size_t>(positions * half));
  table.sines.resize(table.cosines.size());
  for (std::int64_t i = 0; i < half; ++i) {
    const double frequency = portable::pow(static_cast<double>(args.theta),
                                           -2.0 * static_cast<double>(i) / double(head_dim));
    for (std::int64_t t = 0; t < positions; ++t) {
      const double angle = static_cast<double>(args.first_position + t) * frequency;
      const auto at = static_cast<std::size_t>(t * half + i);
      table.cosines[at] = static_cast<float>(portable::cos(angle));
      table.sines[at] = static_cast<float>(portable::sin(angle));
    }
  }
}

}  // namespace

void rope(Backend& backend, const RopeArgs& args) {
  const std::int64_t width = args.x.cols();
  const std::int64_t head_dim = width / args.heads;
  const std::int64_t positions = args.x.shape[1];
  RotaryTable& table = self(backend).rotary_table();
  prepare(table, args, head_dim);
  const float sign = args.inverse ? -1.0f : 1.0f;
  parallel_items(backend.parallelism(), args.x.rows(), args.x.elements(), [&](std::int64_t row) {
    const std::int64_t angles = row % positions * (head_dim / 2);
    kernels().rope({.x = args.x.f32() + row * width,
                    .cosines = table.cosines.data() + angles,
                    .sines = table.sines.data() + angles,
                    .heads = args.heads,
                    .head_dim = head_dim,
                    .sign = sign});
  });
}

}  // namespace lathe::cpu
