// The list of metrics, sorted by id.
#include "experiments/metrics.h"

#include <algorithm>

namespace lathe::experiments {
namespace {

constexpr MetricDef metric(std::string_view id, std::string_view unit, Better better,
                           bool deterministic, std::string_view help) {
  return {id, unit, better, false, deterministic, help};
}

constexpr std::array kMetrics{
    metric("compress/bits", "", Better::kLower, true,
           "bits a weight of the matrices that were stored in fewer, with their scales"),
    metric("compress/energy_kept", "", Better::kHigher, true,
           "mean share of the layers' output energy that their factors keep"),
    metric("compress/outliers", "", Better::kNeither, true,
           "share of weights that are kept as outliers (spqr)"),
    metric("compress/params_cut", "", Better::kNeither, true,
           "share of the model's parameters that was taken away"),
    metric("compress/ppl_rise", "", Better::kLower, true,
           "rise of the held-out perplexity over the dense model's, as a share of it"),
    metric("compress/rank_cut", "", Better::kNeither, true,
           "share of the layers' ranks that was taken away"),
    metric("compress/round_error", "", Better::kLower, true,
           "mean share of a matrix's output energy that storing it in fewer bits loses"),
    metric("compress/secs", "s", Better::kLower, false, "wall time of looking at the model"),
    metric("dkm/distinct", "", Better::kNeither, true,
           "different weights of a matrix as numbers of 16 bits, mean of the slots"),
    metric("dkm/entropy", "bits", Better::kNeither, true,
           "entropy of a code, the nearest centroid's number; log2 of the clusters where all are "
           "used alike; mean of the slots"),
    metric("dkm/soft_hard_distance", "", Better::kLower, true,
           "|W_soft - W_hard| / |W_hard| of the weights that training and export read, mean of "
           "the slots"),
    metric("dkm/soft_hard_gap", "nats/token", Better::kLower, true,
           "held-out loss of the nearest centroids less that of the soft weights of training"),
    metric("dkm/soft_loss", "nats/token", Better::kLower, true,
           "held-out loss of the soft weights that training reads"),
    metric("eval/acc", "", Better::kHigher, true, "share of held-out tokens predicted exactly"),
    metric("eval/loss", "nats/token", Better::kLower, true, "mean cross-entropy, held-out part"),
    metric("eval/ppl", "", Better::kLower, true, "perplexity: exp of the held-out loss"),
    metric("galore/kept_energy", "", Better::kHigher, true,
           "share of gradients' energy along the directions just chosen, mean of the slots"),
    metric("mem/activations", "bytes", Better::kLower, true,
           "kept from forward for backward, at the peak of the step"),
    metric("mem/adapters", "bytes", Better::kLower, true, "adapter weights, at the peak"),
    metric("mem/device_used_bytes", "bytes", Better::kLower, false,
           "device memory in use by all programs"),
    metric("mem/gradients", "bytes", Better::kLower, true, "gradients, at the peak"),
    metric("mem/kv_cache", "bytes", Better::kLower, true, "keys and values, at the peak"),
    metric("mem/live_bytes", "bytes", Better::kLower, true, "bytes alive after the step"),
    metric("mem/optimizer", "bytes", Better::kLower, true, "optimizer moments, at the peak"),
    metric("mem/peak_bytes", "bytes", Better::kLower, true, "most bytes alive within the step"),
    metric("mem/pool_bytes", "bytes", Better::kLower, false,
           "bytes obtained from the system, alive or kept for reuse"),
    metric("mem/process_bytes", "bytes", Better::kLower, false, "resident size of the process"),
    metric("mem/quantizer", "bytes", Better::kLower, true, "scales and codebooks, at the peak"),
    metric("mem/weights", "bytes", Better::kLower, true, "weights, at the peak"),
    metric("mem/workspace", "bytes", Better::kLower, true,
           "scratch within one layer's pass, at the peak"),
    metric("model/bits_per_weight", "bits", Better::kLower, true,
           "stored bits per weight of the dense model"),
    metric("model/params", "", Better::kLower, true, "trainable numbers of the model"),
    metric("model/stored_bytes", "bytes", Better::kLower, true, "size of the weights as stored"),
    metric("perf/observer_pct", "%", Better::kLower, false,
           "share of the step's time spent on recording it"),
    metric("perf/step_ms", "ms", Better::kLower, false, "wall time of a step"),
    metric("perf/tflops", "TFLOP/s", Better::kHigher, false, "operations of the ops per second"),
    metric("perf/tokens_per_s", "tokens/s", Better::kHigher, false, "tokens trained per second"),
    metric("task/acc", "", Better::kHigher, true, "share of a set's items answered right"),
    metric("task/acc_norm", "", Better::kHigher, true,
           "the same, answers judged by likelihood per character"),
    metric("task/acc_norm_stderr", "", Better::kNeither, true, "standard error of acc_norm"),
    metric("task/acc_stderr", "", Better::kNeither, true, "standard error of acc"),
    metric("task/bits_per_byte", "bits/byte", Better::kLower, true,
           "rolling log-likelihood of a text by its bytes"),
    metric("task/byte_ppl", "", Better::kLower, true, "rolling perplexity by bytes"),
    metric("task/items", "", Better::kNeither, true, "items of the set that were measured"),
    metric("task/macro_f1", "", Better::kHigher, true, "mean F1 of the classes"),
    metric("task/nll", "nats/token", Better::kLower, true, "mean negative log-likelihood"),
    metric("task/pass_at_1", "", Better::kHigher, true, "chance that a sample passes its tests"),
    metric("task/pass_at_10", "", Better::kHigher, true, "chance that one of 10 samples passes"),
    metric("task/pass_at_100", "", Better::kHigher, true, "chance that one of 100 samples passes"),
    metric("task/ppl", "", Better::kLower, true, "perplexity by non-overlapping windows"),
    metric("task/secs", "s", Better::kLower, false, "wall time of the evaluation"),
    metric("task/token_ppl", "", Better::kLower, true, "rolling perplexity by tokens"),
    metric("task/tokens", "tokens", Better::kNeither, true, "tokens scored"),
    metric("task/weighted_f1", "", Better::kHigher, true, "mean F1 weighted by class size"),
    metric("task/word_ppl", "", Better::kLower, true, "rolling perplexity by words"),
    metric("train/acc", "", Better::kHigher, true, "share of the batch's tokens predicted exactly"),
    metric("train/grad_norm", "", Better::kNeither, true, "global gradient norm before clipping"),
    metric("train/loss", "nats/token", Better::kLower, true, "mean cross-entropy of the batch"),
    metric("train/lr", "", Better::kNeither, true, "learning rate of the step"),
    metric("train/tokens", "tokens", Better::kNeither, true, "tokens trained on so far"),
    metric("velora/cosine", "", Better::kHigher, true,
           "cosine between the exact gradient and that of projections, mean of the slots"),
    metric("velora/cosine_min", "", Better::kHigher, true, "the least of the slots' cosines"),
    metric("velora/kept_energy", "", Better::kHigher, true,
           "share of inputs' energy that projections keep, mean of the slots"),
    metric("velora/kept_energy_min", "", Better::kHigher, true,
           "the least share of energy that a slot's projections keep")};

static_assert(std::is_sorted(kMetrics.begin(), kMetrics.end(),
                             [](const MetricDef& a, const MetricDef& b) { return a.id < b.id; }));

}  // namespace

std::span<const MetricDef> metric_defs() {
  return kMetrics;
}

const MetricDef* find_metric(std::string_view id) {
  id = id.substr(0, id.find(':'));
  const auto found = std::lower_bound(
      kMetrics.begin(), kMetrics.end(), id,
      [](const MetricDef& def, std::string_view wanted) { return def.id < wanted; });
  return found != kMetrics.end() && found->id == id ? &*found : nullptr;
}

}  // namespace lathe::experiments
