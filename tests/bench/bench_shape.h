// What the measuring programs share with each other and with their Python side: the models by name
// (shapes.json), the peaks of devices (device_peaks.json), options, and the exit codes.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "engine/backend/backend.h"

namespace lathe::bench {

// As ctest understands it: there is no such device here.
inline constexpr int kNoDevice = 77;

struct BenchShape {
  std::int64_t dim = 0, layers = 0, heads = 0, ff_dim = 0;
  bool tied = true;
  std::int64_t rank = 0;  // of every block linear; 0: dense
  std::int64_t vocab_size = 0, seq_len = 0, batch_size = 0;
  std::int64_t tokens() const { return seq_len * batch_size; }
};

// kUsage for an unknown name, with those that there are.
Result<BenchShape> shape_named(const std::string& name);

// Operations that training a model on one batch needs, whoever does it: three times the forward
// products, a multiply-add counted as 2, attention over all pairs of positions (PaLM, appendix B).
// What is computed twice to save memory counts once.
double model_flops_per_step(const BenchShape& shape);

// TFLOP/s of a device without sparsity, as its maker states them; nothing for an unknown one.
// `device` as BackendInfo has it.
std::optional<double> peak_tflops(const std::string& device, ProductPrecision products);

// "--key value" pairs over the given defaults; kUsage for a key that is not among them.
using Options = std::map<std::string, std::string>;
Result<Options> read_options(int argc, char** argv, Options defaults);

// The back end of --device, --threads and --products.
Result<std::unique_ptr<Backend>> backend_of(const Options& options);

// Says what is wrong on stderr; the exit code for it: 77 where there is no such device.
int report_failure(const char* program, const Error& error);

}  // namespace lathe::bench
