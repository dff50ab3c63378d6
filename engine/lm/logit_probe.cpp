// See logit_probe.h.
#include "engine/lm/logit_probe.h"

#include <algorithm>
#include <cmath>

#include "engine/base/hash.h"
#include "engine/lm/language_model.h"

namespace lathe {
namespace {

constexpr std::int64_t kProbeTokens = 64;
constexpr std::int64_t kProbeImages = 8;
constexpr std::uint64_t kProbeSeed = 1;

double log_sum_exp(const float* row, std::size_t count) {
  const double top = *std::max_element(row, row + count);
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    sum += std::exp(row[i] - top);
  }
  return top + std::log(sum);
}

// Of pixels drawn at random, as they are after mean and deviation.
std::vector<float> probe_images(Backend& backend, Transformer& transformer,
                                const ModelConfig& model) {
  const Tensor patches =
      workspace(backend, "probe", "patches",
                Shape{kProbeImages * model.image.patches(), model.image.patch_values()});
  ops::random_fill(backend, {.out = patches, .seed = kProbeSeed, .stream = 0});
  const Tensor out = workspace(backend, "probe", "logits", Shape{kProbeImages, model.vocab_size});
  transformer.classify(patches, {.batch = kProbeImages, .seq_len = model.image.tokens()}, out);
  std::vector<float> logits(static_cast<std::size_t>(out.shape().elements()));
  backend.read(out, logits.data(), out.ref().bytes());
  return logits;
}

}  // namespace

std::vector<float> probe_logits(Backend& backend, Transformer& transformer,
                                const ModelConfig& model) {
  if (model.images()) {
    return probe_images(backend, transformer, model);
  }
  std::vector<std::int32_t> ids(static_cast<std::size_t>(kProbeTokens));
  if (model.context != 0) {
    ids.resize(static_cast<std::size_t>(std::min(kProbeTokens, model.context)));
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::uint64_t drawn = xxh3(&i, sizeof i, kProbeSeed);
    ids[i] = static_cast<std::int32_t>(drawn % static_cast<std::uint64_t>(model.vocab_size));
  }
  const auto count = static_cast<std::int64_t>(ids.size());
  KvCache cache(backend, model, count);
  const Tensor input = workspace(backend, "probe", "ids", Shape{count}, DType::kI32);
  backend.write(input, ids.data(), input.ref().bytes());
  const Tensor out = workspace(backend, "probe", "logits", Shape{count, model.vocab_size});
  transformer.infer(input, cache, out);
  std::vector<float> logits(static_cast<std::size_t>(count * model.vocab_size));
  backend.read(out, logits.data(), out.ref().bytes());
  return logits;
}

std::vector<float> file_logits(Backend& backend, const ModelFile& source,
                               const std::vector<LinearPlan>& plans) {
  Transformer transformer(backend, source.config(), plans);
  load_weights(backend, source, transformer);
  return probe_logits(backend, transformer, source.config());
}

double max_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(double{a[i]} - b[i]);
    largest = difference <= largest ? largest : difference;
    if (!std::isfinite(difference)) {
      return HUGE_VAL;
    }
  }
  return largest;
}

void compare_logits(const std::vector<float>& before, const std::vector<float>& after,
                    std::int64_t vocab_size, ExportReport& report) {
  const auto vocab = static_cast<std::size_t>(vocab_size);
  const std::size_t rows = before.size() / vocab;
  std::size_t agreed = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    const float* p = before.data() + row * vocab;
    const float* q = after.data() + row * vocab;
    const double p_norm = log_sum_exp(p, vocab);
    const double q_norm = log_sum_exp(q, vocab);
    for (std::size_t i = 0; i < vocab; ++i) {
      const double log_p = p[i] - p_norm;
      report.mean_kl += std::exp(log_p) * (log_p - (q[i] - q_norm)) / static_cast<double>(rows);
    }
    agreed += std::max_element(p, p + vocab) - p == std::max_element(q, q + vocab) - q ? 1 : 0;
  }
  report.argmax_agreement = static_cast<double>(agreed) / static_cast<double>(rows);
  report.max_change = max_difference(before, after);
}

}  // namespace lathe
