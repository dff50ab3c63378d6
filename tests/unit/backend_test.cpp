// The front of the ops: what is counted, what is refused, and what meta does without values.
#include "engine/backend/backend.h"
#include "engine/backend/sums.h"

#include <gtest/gtest.h>

#include <numeric>

namespace lathe {
namespace {

std::unique_ptr<Backend> backend_of(const std::string& device, int threads = 1) {
  return std::move(make_backend(device, threads)).value();
}

TEST(Backend, AnUnknownDeviceIsRefusedWithThoseThereAre) {
  const auto made = make_backend("tpu", 0);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().kind, ErrorKind::kDevice);
  EXPECT_NE(made.error().text().find("\"tpu\""), std::string::npos);
  EXPECT_NE(made.error().text().find("cpu_ref"), std::string::npos);
  EXPECT_FALSE(make_backend("cpu", -1).ok());
}

TEST(Backend, CountsCallsAndOperations) {
  const auto backend = backend_of("cpu");
  const Tensor a(backend->allocator(), DType::kF32, Shape{3, 5}, {});
  const Tensor b(backend->allocator(), DType::kF32, Shape{7, 5}, {});
  const Tensor c(backend->allocator(), DType::kF32, Shape{3, 7}, {});
  ops::fill(*backend, {.out = a, .value = 2.0f});
  ops::fill(*backend, {.out = b, .value = 0.5f});
  ops::matmul(*backend, {.a = a, .b = b, .c = c, .transpose_b = true});
  EXPECT_EQ(backend->counters().total_flops(), 2.0 * 3 * 5 * 7);
  EXPECT_EQ(std::accumulate(backend->counters().calls.begin(), backend->counters().calls.end(),
                            std::int64_t{0}),
            3);
  std::array<float, 21> values{};
  backend->read(c, values.data(), sizeof values);
  EXPECT_EQ(values[20], 5.0f);
}

TEST(Backend, MetaHasShapesAndTheLedgerOnly) {
  const auto backend = backend_of("meta", 6);
  EXPECT_FALSE(backend->computes());
  EXPECT_EQ(backend->parallelism(), 6);
  const Tensor x(backend->allocator(), DType::kF32, Shape{1 << 20, 1 << 20}, {});
  EXPECT_EQ(backend->ledger().live().live_bytes, std::int64_t{4} << 40);
  const Tensor sums = make_sums(*backend, "test", "sums", 2);
  const std::array<TensorRef, 1> list{x};
  ops::sum_squares(*backend,
                   {.x = list, .sums = sums_at(sums, 0, 1), .total = sums_at(sums, 1, 1)});
  EXPECT_EQ(read_sums(*backend, sums), (std::vector<double>{0.0, 0.0}));
  float value = 1.0f;
  backend->read(x, &value, 4);
  EXPECT_EQ(value, 0.0f);
}

TEST(BackendDeathTest, ShapesThatDoNotFitAreOurBug) {
  const auto backend = backend_of("meta");
  const Tensor a(backend->allocator(), DType::kF32, Shape{3, 5}, {});
  const Tensor b(backend->allocator(), DType::kF32, Shape{6, 7}, {});
  const Tensor c(backend->allocator(), DType::kF32, Shape{3, 7}, {});
  EXPECT_DEATH(ops::matmul(*backend, {.a = a, .b = b, .c = c}), "inner extents");
  EXPECT_DEATH(ops::add(*backend, {.a = a, .b = b, .out = a}), "equal size");
}

TEST(BackendDeathTest, IdsBeyondTheTableAreStopped) {
  for (const char* device : {"cpu", "cpu_ref"}) {
    const auto backend = backend_of(device);
    const Tensor table(backend->allocator(), DType::kF32, Shape{4, 2}, {});
    const Tensor ids(backend->allocator(), DType::kI32, Shape{1}, {});
    const Tensor out(backend->allocator(), DType::kF32, Shape{1, 2}, {});
    const std::int32_t beyond = 4;
    backend->write(ids, &beyond, 4);
    EXPECT_DEATH(ops::embedding_forward(*backend, {.table = table, .ids = ids, .out = out}),
                 "outside the table");
  }
}

}  // namespace
}  // namespace lathe
