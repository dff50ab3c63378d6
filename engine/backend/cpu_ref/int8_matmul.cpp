// The product in integers: codes as every back end makes them, the columns left out in double.
#include <cmath>
#include <vector>

#include "engine/backend/cpu_ref/cpu_ref_backend.h"
#include "engine/quant/table_decode.h"

namespace lathe::cpu_ref {
namespace {

// By column, whether it is multiplied in floats.
std::vector<bool> outlier_columns(const Int8MatmulArgs& args) {
  std::vector<bool> outlier(static_cast<std::size_t>(args.x.cols()), false);
  for (std::int64_t i = 0; i < args.x.elements(); ++i) {
    if (!(std::fabs(args.x.f32()[i]) < int8_limit(args.threshold))) {
      outlier[static_cast<std::size_t>(i % args.x.cols())] = true;
    }
  }
  return outlier;
}

// The row's largest |x| but for outliers.
float largest_of(const float* x, const std::vector<bool>& outlier) {
  float largest = 0.0f;
  for (std::size_t i = 0; i < outlier.size(); ++i) {
    largest = outlier[i] ? largest : std::fmax(largest, std::fabs(x[i]));
  }
  return largest;
}

}  // namespace

void int8_matmul(Backend&, const Int8MatmulArgs& args) {
  const std::int64_t in = args.x.cols();
  const std::int64_t out = args.w.rows();
  const StoredMatrix weight{args.w.dtype, static_cast<const unsigned char*>(args.w.data), out, in};
  const auto* const codes = static_cast<const std::int8_t*>(args.w.data);
  const std::vector<bool> outlier = outlier_columns(args);
  std::vector<std::int64_t> rounded(static_cast<std::size_t>(in));
  for (std::int64_t n = 0; n < args.x.rows(); ++n) {
    const float* const x = args.x.f32() + n * in;
    const float largest = largest_of(x, outlier);
    const float factor = int8_factor(largest);
    for (std::size_t i = 0; i < rounded.size(); ++i) {
      rounded[i] = outlier[i] ? 0 : static_cast<std::int64_t>(std::nearbyint(x[i] * factor));
    }
    for (std::int64_t o = 0; o < out; ++o) {
      std::int64_t sum = 0;
      double floats = 0;
      for (std::size_t i = 0; i < rounded.size(); ++i) {
        const std::int64_t code = codes[o * in + static_cast<std::int64_t>(i)];
        sum += rounded[i] * code;
        floats += outlier[i] ? double(x[i]) * double(code) : 0.0;
      }
      const double scale = block::int8_row_scale(weight, o);
      args.y.f32()[n * out + o] =
          static_cast<float>((double(sum) * double(int8_scale(largest)) + floats) * scale);
    }
  }
}

}  // namespace lathe::cpu_ref
