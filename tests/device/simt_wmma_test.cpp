// The simulated products of a warp against plain ones, and what must be an error.
#include <gmock/gmock.h>

#include "engine/backend/device_error.h"
#include "engine/backend/simt/language.h"

namespace lathe::simt {
namespace {

namespace wmma = nvcuda::wmma;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr unsigned kStride = 24;  // between rows in memory

struct Bf16 {
  using Factor = __nv_bfloat16;
  static __nv_bfloat16 stored(float x) { return __float2bfloat16(x); }
  static float value(__nv_bfloat16 x) { return __bfloat162float(x); }
  static constexpr int kDepth = 16;
  static constexpr int kElements = 8;
  static constexpr double kRounding = 0x1.0p-8;
};
struct Half {
  using Factor = __half;
  static __half stored(float x) { return __float2half(x); }
  static float value(__half x) { return __half2float(x); }
  static constexpr int kDepth = 16;
  static constexpr int kElements = 16;
  static constexpr double kRounding = 0x1.0p-11;
};
struct Tf32 {
  using Factor = wmma::precision::tf32;
  static float stored(float x) { return wmma::__float_to_tf32(x); }
  static float value(float x) { return x; }
  static constexpr int kDepth = 8;
  static constexpr int kElements = 4;
  static constexpr double kRounding = 0x1.0p-11;
};

float number(int i) {
  return static_cast<float>(i * 37 % 101) / 50.0f - 1.0f;
}

void run_warps(const std::function<void()>& thread, Turns turns = Turns::kAscending) {
  run_grid({.op = "trial", .grid = 1, .block = 64, .turns = turns}, thread);
}

template <typename Format>
class SimtWmma : public testing::Test {};
using Formats = testing::Types<Bf16, Half, Tf32>;
TYPED_TEST_SUITE(SimtWmma, Formats);

// sums = a b + sums of 16 x 16, where a lies by rows and b by columns, or the other way around.
template <typename Format, typename LayoutA, typename LayoutB, typename Stored>
void multiply(const Stored* a, const Stored* b, float* sums, wmma::layout_t layout) {
  constexpr int kDepth = Format::kDepth;
  using Factor = typename Format::Factor;
  wmma::fragment<wmma::matrix_a, 16, 16, kDepth, Factor, LayoutA> left;
  wmma::fragment<wmma::matrix_b, 16, 16, kDepth, Factor, LayoutB> right;
  wmma::fragment<wmma::accumulator, 16, 16, kDepth, float> both;
  static_assert(left.num_elements == Format::kElements && both.num_elements == 8);
  wmma::load_matrix_sync(left, a, kStride);
  wmma::load_matrix_sync(right, b, kStride);
  wmma::load_matrix_sync(both, sums, kStride, layout);
  wmma::mma_sync(both, left, right, both);
  for (auto& element : left.x) {
    element = Format::stored(7.0f);  // too late to matter to the other lanes
  }
  wmma::store_matrix_sync(sums, both, kStride, layout);
}

TYPED_TEST(SimtWmma, IsAProduct) {
  using Stored = decltype(TypeParam::stored(0.0f));
  constexpr int kDepth = TypeParam::kDepth;
  for (const bool by_row : {true, false}) {
    for (const Turns turns : {Turns::kAscending, Turns::kDescending}) {
      alignas(32) Stored a[16 * kStride], b[16 * kStride];
      alignas(32) float sums[2][16 * kStride];
      for (int i = 0; i < 16 * static_cast<int>(kStride); ++i) {
        a[i] = TypeParam::stored(number(i));
        b[i] = TypeParam::stored(number(i + 7));
        sums[0][i] = sums[1][i] = number(i + 31);
      }
      run_warps(
          [&] {
            float* const mine = sums[threadIdx.x / 32];
            if (by_row) {
              multiply<TypeParam, wmma::row_major, wmma::col_major>(a, b, mine,
                                                                    wmma::mem_row_major);
            } else {
              multiply<TypeParam, wmma::col_major, wmma::row_major>(a, b, mine,
                                                                    wmma::mem_col_major);
            }
          },
          turns);
      const auto at = [](bool rows, int row, int column) {
        return rows ? row * static_cast<int>(kStride) + column
                    : column * static_cast<int>(kStride) + row;
      };
      for (int row = 0; row < 16; ++row) {
        for (int column = 0; column < 16; ++column) {
          double want = number(at(by_row, row, column) + 31);
          for (int d = 0; d < kDepth; ++d) {
            want += double(TypeParam::value(a[at(by_row, row, d)])) *
                    double(TypeParam::value(b[at(!by_row, d, column)]));
          }
          EXPECT_NEAR(sums[0][at(by_row, row, column)], want, 1e-5);
          EXPECT_EQ(sums[1][at(by_row, row, column)], sums[0][at(by_row, row, column)]);
        }
      }
    }
  }
}

TYPED_TEST(SimtWmma, FactorsAreRounded) {
  for (int i = 0; i < 100; ++i) {
    const float x = number(i) * 3e3f;
    EXPECT_NEAR(TypeParam::value(TypeParam::stored(x)), x, std::fabs(x) * TypeParam::kRounding);
  }
}

TEST(SimtWmma, AFillIsInEveryElement) {
  alignas(32) float results[256];
  run_warps([&] {
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> sums;
    wmma::fill_fragment(sums, 3.0f);
    wmma::store_matrix_sync(results, sums, 16, wmma::mem_row_major);
  });
  EXPECT_THAT(results, testing::Each(3.0f));
}

void expect_error(const std::function<void()>& thread, const std::string& text) {
  EXPECT_THAT([&] { run_warps(thread); }, ThrowsMessage<DeviceError>(HasSubstr(text)));
}

TEST(SimtWmma, EveryLaneTakesPart) {
  alignas(32) static float x[256] = {};
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> sums;
  const auto half = [&] {
    if (threadIdx.x % 32 < 16) {
      wmma::load_matrix_sync(sums, x, 16, wmma::mem_row_major);
    }
  };
  expect_error(half, "trial");
}

TEST(SimtWmma, LanesNameOneAlignedMatrix) {
  alignas(32) static float x[1024] = {};
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> sums;
  const auto load_at = [&](unsigned by_lane, unsigned shift, unsigned stride) {
    return [&sums, by_lane, shift, stride] {
      wmma::load_matrix_sync(sums, x + threadIdx.x % 32 * by_lane + shift, stride,
                             wmma::mem_row_major);
    };
  };
  expect_error(load_at(8, 0, 16), "different matrices");
  expect_error(load_at(0, 4, 16), "multiple of 32 bytes");
  expect_error(load_at(0, 0, 18), "multiples of 16 bytes");
}

}  // namespace
}  // namespace lathe::simt
