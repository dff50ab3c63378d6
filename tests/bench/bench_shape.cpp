// See bench_shape.h.
#include "tests/bench/bench_shape.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>

#include "engine/base/json.h"

namespace lathe::bench {
namespace {

// Of the source tree: measurements are made where the program is built.
Result<Json> bench_file(const char* name) {
  return read_json_file(std::string(LATHE_BENCH_FOLDER "/") + name);
}

}  // namespace

Result<BenchShape> shape_named(const std::string& name) {
  const Result<Json> shapes = bench_file("shapes.json");
  if (!shapes) {
    return shapes.error();
  }
  if (!shapes->contains(name)) {
    std::string known;
    for (const auto& [key, value] : shapes->items()) {
      known += (known.empty() ? "" : ", ") + key;
    }
    return Error{ErrorKind::kUsage, "there is no model \"" + name + "\"", "choose of " + known};
  }
  const Json& from = (*shapes)[name];
  return BenchShape{.dim = from["dim"],
                    .layers = from["layers"],
                    .heads = from["heads"],
                    .ff_dim = from["ff_dim"],
                    .tied = from["tied"],
                    .rank = from["rank"],
                    .vocab_size = from["vocab_size"],
                    .seq_len = from["seq_len"],
                    .batch_size = from["batch_size"]};
}

double model_flops_per_step(const BenchShape& shape) {
  const auto linear = [&](std::int64_t in, std::int64_t out) {
    return shape.rank > 0 ? shape.rank * (in + out) : in * out;
  };
  const std::int64_t block = 4 * linear(shape.dim, shape.dim) +
                             3 * linear(shape.dim, shape.ff_dim) + 2 * shape.seq_len * shape.dim;
  const std::int64_t forward = 2 * (shape.layers * block + shape.dim * shape.vocab_size);
  return 3.0 * static_cast<double>(forward) * static_cast<double>(shape.tokens());
}

std::optional<double> peak_tflops(const std::string& device, ProductPrecision products) {
  const Result<Json> peaks = bench_file("device_peaks.json");
  const std::string name = device.substr(0, device.find(", "));
  if (!peaks || !peaks->contains(name)) {
    return std::nullopt;
  }
  return (*peaks)[name][std::string(enum_name(products))].get<double>();
}

Result<Options> read_options(int argc, char** argv, Options defaults) {
  for (int i = 1; i < argc; i += 2) {
    const std::string key = argv[i];
    if (!defaults.contains(key) || i + 1 == argc) {
      std::string known;
      for (const auto& [option, value] : defaults) {
        known += fmt::format(" [{} {}]", option, value.empty() ? "VALUE" : value);
      }
      return Error{ErrorKind::kUsage, fmt::format("cannot use \"{}\"", key), "options:" + known};
    }
    defaults[key] = argv[i + 1];
  }
  return defaults;
}

Result<std::unique_ptr<Backend>> backend_of(const Options& options) {
  const auto& names = EnumNames<ProductPrecision>::names;
  const auto found = std::find(names.begin(), names.end(), options.at("--products"));
  if (found == names.end()) {
    return Error{ErrorKind::kUsage, "no products \"" + options.at("--products") + "\"",
                 "choose of f32, tf32, bf16"};
  }
  return make_backend(options.at("--device"), std::atoi(options.at("--threads").c_str()),
                      static_cast<ProductPrecision>(found - names.begin()));
}

int report_failure(const char* program, const Error& error) {
  fmt::print(stderr, "{}: {}\n", program, error.text());
  return error.kind == ErrorKind::kDevice ? kNoDevice : error.kind == ErrorKind::kUsage ? 2 : 1;
}

}  // namespace lathe::bench
