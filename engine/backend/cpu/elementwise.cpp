// add, scale, copy, dropout, fill, random_fill over threads.
#include <cstring>

#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/dropout_values.h"
#include "engine/backend/random_values.h"

namespace lathe::cpu {

void add(Backend& backend, const AddArgs& args) {
  parallel_ranges(
      backend.parallelism(), args.out.elements(), [&](std::int64_t first, std::int64_t count) {
        kernels().add(args.a.f32() + first, args.b.f32() + first, args.out.f32() + first, count);
      });
}

void scale(Backend& backend, const ScaleArgs& args) {
  parallel_ranges(backend.parallelism(), args.x.elements(),
                  [&](std::int64_t first, std::int64_t count) {
                    kernels().scale(args.x.f32() + first, args.factor, count);
                  });
}

void copy(Backend& backend, const CopyArgs& args) {
  parallel_ranges(backend.parallelism(), args.to.bytes(),
                  [&](std::int64_t first, std::int64_t count) {
                    std::memcpy(static_cast<char*>(args.to.data) + first,
                                static_cast<const char*>(args.from.data) + first,
                                static_cast<std::size_t>(count));
                  });
}

void fill(Backend& backend, const FillArgs& args) {
  parallel_ranges(backend.parallelism(), args.out.elements(),
                  [&](std::int64_t first, std::int64_t count) {
                    std::fill_n(args.out.f32() + first, count, args.value);
                  });
}

void dropout(Backend& backend, const DropoutArgs& args) {
  parallel_ranges(
      backend.parallelism(), args.x.elements(),
      [&](std::int64_t first, std::int64_t count) { write_dropout(args, first, count); });
}

void random_fill(Backend& backend, const RandomFillArgs& args) {
  parallel_ranges(
      backend.parallelism(), args.out.elements(),
      [&](std::int64_t first, std::int64_t count) { write_random_values(args, first, count); });
}

}  // namespace lathe::cpu
