// Rotary embedding over threads, with a table of angles that is kept from call to call and grows
// with the positions asked for.
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/rope_frequency.h"
#include "engine/base/portable_math.h"

namespace lathe::cpu {
namespace {

// One more than the greatest position of the call.
std::int64_t positions_of(const RopeArgs& args) {
  if (!args.positions.defined()) {
    return args.first_position + args.x.shape[1];
  }
  const std::int32_t* first = args.positions.i32();
  const std::int64_t rows = args.positions.elements();
  return rows == 0 ? 0 : std::int64_t{*std::max_element(first, first + rows)} + 1;
}

void prepare(RotaryTable& table, const RopeArgs& args, std::int64_t head_dim) {
  if (table.theta != args.theta || table.head_dim != head_dim || table.scaling != args.scaling) {
    table = {.theta = args.theta,
             .scaling = args.scaling,
             .head_dim = head_dim,
             .cosines = {},
             .sines = {}};
  }
  const std::int64_t needed = positions_of(args);
  if (needed <= table.positions) {
    return;
  }
  // Decoding asks for one more position a time: room is doubled.
  const std::int64_t known = table.positions;
  const std::int64_t half = head_dim / 2;
  table.positions = std::max(needed, 2 * known);
  table.cosines.resize(static_cast<std::size_t>(table.positions * half));
  table.sines.resize(table.cosines.size());
  for (std::int64_t i = 0; i < half; ++i) {
    const double frequency = rope_frequency(args, i, head_dim);
    for (std::int64_t t = known; t < table.positions; ++t) {
      const double angle = static_cast<double>(t) * frequency;
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
  const std::int64_t length = args.x.shape[1];
  RotaryTable& table = self(backend).rotary_table();
  prepare(table, args, head_dim);
  const float sign = args.inverse ? -1.0f : 1.0f;
  parallel_items(backend.parallelism(), args.x.rows(), args.x.elements(), [&](std::int64_t row) {
    const std::int64_t position =
        args.positions.defined() ? args.positions.i32()[row] : args.first_position + row % length;
    const std::int64_t angles = position * (head_dim / 2);
    kernels().rope({.x = args.x.f32() + row * width,
                    .cosines = table.cosines.data() + angles,
                    .sines = table.sines.data() + angles,
                    .heads = args.heads,
                    .head_dim = head_dim,
                    .sign = sign,
                    .interleaved = args.pairs == RopePairs::kInterleaved});
  });
}

}  // namespace lathe::cpu
