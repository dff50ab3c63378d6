// AdamW and the sum of squares over all tensors at once: pieces of them, whatever tensor they are
// of, are shared out to threads.
#include <algorithm>
#include <array>
#include <numeric>

#include "engine/backend/clipping.h"
#include "engine/backend/cpu/adamw_numbers.h"
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/update_rule.h"
#include "engine/backend/weight_rounding.h"

namespace lathe::cpu {
namespace {

// Elements of one partial sum, and of a thread's piece; fixed, so that sums do not depend on the
// number of threads.
constexpr std::int64_t kPieceElements = 32768;
static_assert(kPieceElements % kMomentBlock == 0);
// Elements of a bf16 weight that are floats at a time, in the first-level cache.
constexpr std::int64_t kFloatElements = 1024;

// Elements [first, first + count) of tensor number `tensor`.
struct Piece {
  std::size_t tensor;
  std::int64_t first, count;
};

struct Pieces {
  std::vector<Piece> list;
  std::int64_t elements = 0;

  void add(std::size_t tensor, std::int64_t count) {
    elements += count;
    for (std::int64_t first = 0; first < count; first += kPieceElements) {
      list.push_back({tensor, first, std::min(kPieceElements, count - first)});
    }
  }
};

// body(number, piece) for each; neighbours go to one thread.
template <typename Body>
void for_pieces(Backend& backend, const Pieces& pieces, const Body& body) {
  const auto count = static_cast<std::int64_t>(pieces.list.size());
  parallel_items(backend.parallelism(), count, pieces.elements, [&](std::int64_t number) {
    body(number, pieces.list[static_cast<std::size_t>(number)]);
  });
}

// A bf16 weight without a master, whose elements of the piece begin at `place` in the order of
// rounding: floats of it for as long as the update takes.
void update_rounded(const AdamwStepArgs& args, AdamwRange range, std::uint16_t* bits,
                    std::int64_t place) {
  alignas(64) std::array<float, kFloatElements> floats;
  const std::int64_t all = range.count;
  range.weight = floats.data();
  for (std::int64_t done = 0; done < all; done += range.count) {
    range.count = std::min(kFloatElements, all - done);
    kernels().decode(DType::kBf16, reinterpret_cast<const unsigned char*>(bits + done),
                     floats.data(), range.count);
    kernels().adamw(range);
    round_at_random(args, place + done, floats.data(), bits + done, range.count);
    range.gradient += range.count;
    range.m += range.count;
    range.v += range.count;
  }
}

// Elements from `first` on, whose moments are floats at range.m and range.v.
void update_range(const AdamwStepArgs& args, const AdamwTensor& tensor, AdamwRange range,
                  std::int64_t first, std::int64_t place) {
  range.gradient = tensor.gradient.f32() + first;
  range.weight_decay = tensor.decays ? args.weight_decay : 0.0f;
  if (tensor.weight.dtype == DType::kF32) {
    range.weight = tensor.weight.f32() + first;
    kernels().adamw(range);
    return;
  }
  std::uint16_t* const bits = static_cast<std::uint16_t*>(tensor.weight.data) + first;
  if (tensor.master.defined()) {
    range.weight = tensor.master.f32() + first;
    kernels().adamw(range);
    kernels().round_to_bf16(range.weight, bits, range.count);
  } else {
    update_rounded(args, range, bits, place + first);
  }
}

MomentBlock block_of(const MomentRef& moment, DynamicMap map, std::int64_t first,
                     std::int64_t count) {
  return {.map = map,
          .codes = static_cast<std::uint8_t*>(moment.values.data) + first,
          .absmax = moment.absmax.f32() + first / kMomentBlock,
          .count = count};
}

// Codes: floats of a block at a time, for as long as its update takes.
void update_coded(const AdamwStepArgs& args, const AdamwTensor& tensor, AdamwRange range,
                  std::int64_t first, std::int64_t place) {
  alignas(64) std::array<float, kMomentBlock> m, v;
  range.m = m.data();
  range.v = v.data();
  const std::int64_t end = first + range.count;
  for (; first < end; first += range.count) {
    range.count = std::min(kMomentBlock, end - first);
    const MomentBlock m_block = block_of(tensor.m, DynamicMap::kSigned, first, range.count);
    const MomentBlock v_block = block_of(tensor.v, DynamicMap::kUnsigned, first, range.count);
    kernels().decode_moment(m_block, m.data());
    kernels().decode_moment(v_block, v.data());
    update_range(args, tensor, range, first, place);
    kernels().encode_moment(m.data(), m_block);
    kernels().encode_moment(v.data(), v_block);
  }
}

void update(const AdamwStepArgs& args, const AdamwTensor& tensor, AdamwRange range,
            std::int64_t first, std::int64_t place) {
  if (tensor.m.values.dtype == DType::kU8) {
    update_coded(args, tensor, range, first, place);
    return;
  }
  range.m = tensor.m.values.f32() + first;
  range.v = tensor.v.values.f32() + first;
  update_range(args, tensor, range, first, place);
}

}  // namespace

void sum_squares(Backend& backend, const SumSquaresArgs& args) {
  Pieces pieces;
  for (std::size_t t = 0; t < args.x.size(); ++t) {
    pieces.add(t, args.x[t].elements());
  }
  std::vector<double>& partial = self(backend).double_scratch();
  partial.resize(pieces.list.size());
  for_pieces(backend, pieces, [&](std::int64_t number, const Piece& piece) {
    partial[static_cast<std::size_t>(number)] =
        kernels().sum_squares(args.x[piece.tensor].f32() + piece.first, piece.count);
  });
  double* const sums = args.sums.f64();
  std::fill_n(sums, args.x.size(), 0.0);
  for (std::size_t number = 0; number < partial.size(); ++number) {
    sums[pieces.list[number].tensor] += partial[number];
  }
  *args.total.f64() = std::accumulate(sums, sums + args.x.size(), 0.0);
}

void adamw_step(Backend& backend, const AdamwStepArgs& given) {
  const AdamwStepArgs args = with_update_values(given);
  const std::optional<double> scale = accepted_scale(args);
  if (!scale) {
    return;
  }
  Pieces pieces;
  std::vector<std::int64_t> places;
  std::int64_t place = 0;
  for (std::size_t t = 0; t < args.tensors.size(); ++t) {
    const std::int64_t count = args.tensors[t].weight.elements();
    pieces.add(t, count);
    places.push_back(place);
    place = next_rounding_place(place, count);
  }
  const AdamwRange whole = adamw_numbers(args, *scale);
  for_pieces(backend, pieces, [&](std::int64_t, const Piece& piece) {
    AdamwRange range = whole;
    range.count = piece.count;
    update(args, args.tensors[piece.tensor], range, piece.first, places[piece.tensor]);
  });
}

}  // namespace lathe::cpu
