// Both rules as score requests.
#include "engine/eval/perplexity.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/eval/scorer.h"
#include "engine/eval/text_rules.h"

namespace lathe {
namespace {

Result<std::int64_t> resolve_window(std::int64_t window, std::int64_t fallback,
                                    std::int64_t context) {
  if (window == 0) {
    return std::min(fallback, context);
  }
  if (window < 2 || window > context) {
    return Error{ErrorKind::kUsage,
                 "window=" + std::to_string(window) + " is not in 2 to " + std::to_string(context) +
                     ", the model's context",
                 "choose a smaller window, or 0 for the usual one"};
  }
  return window;
}

double total(std::span<const SequenceScore> scores) {
  return std::accumulate(scores.begin(), scores.end(), 0.0,
                         [](double sum, const SequenceScore& s) { return sum + s.log_likelihood; });
}

// The windows of one document: `predicted` of its tokens are done, the next up to `window` follow.
void append_rolling(const std::vector<std::int32_t>& ids, std::int32_t prefix, std::int64_t window,
                    const std::string& place, std::vector<ScoreRequest>& out) {
  const auto count = static_cast<std::int64_t>(ids.size());
  for (std::int64_t done = 0; done < count;) {
    const std::int64_t scored = std::min(window, count - done);
    const std::int64_t end = done + scored;
    // Input of `window` tokens that ends before the last scored one; none reaches before the
    // prefix.
    const std::int64_t begin = done == 0 ? 0 : end - window - 1;
    ScoreRequest request{.ids = {}, .first_scored = 0, .place = place};
    if (done == 0) {
      request.ids.push_back(prefix);
    }
    request.ids.insert(request.ids.end(), ids.begin() + begin, ids.begin() + end);
    request.first_scored = static_cast<std::int64_t>(request.ids.size()) - scored;
    out.push_back(std::move(request));
    done = end;
  }
}

}  // namespace

Result<WindowPerplexity> window_perplexity(const EvalModel& model, std::string_view text,
                                           std::int64_t window, std::int64_t limit,
                                           const EvalProgress& progress) {
  const auto resolved = resolve_window(window, kUsualWindow, model.context);
  if (!resolved) {
    return resolved.error();
  }
  const std::vector<std::int32_t> ids = model.encode(text, true);
  const auto count = static_cast<std::int64_t>(ids.size());
  WindowPerplexity report{.window = *resolved, .windows = count / *resolved, .text_tokens = count};
  if (report.windows == 0) {
    return Error{ErrorKind::kData,
                 "the text has " + std::to_string(count) + " tokens, less than one window of " +
                     std::to_string(report.window),
                 "take a longer text, or a smaller window"};
  }
  if (limit > 0) {
    report.windows = std::min(report.windows, limit);
  }
  std::vector<ScoreRequest> requests;
  for (std::int64_t i = 0; i < report.windows; ++i) {
    const auto begin = ids.begin() + i * report.window;
    requests.push_back({.ids = {begin, begin + report.window},
                        .first_scored = 1,
                        .place = "window " + std::to_string(i + 1)});
  }
  const auto scores = score_sequences(model, requests, progress);
  if (!scores) {
    return scores.error();
  }
  report.tokens = report.windows * (report.window - 1);
  report.nll = -total(*scores) / static_cast<double>(report.tokens);
  report.perplexity = std::exp(report.nll);
  return report;
}

Result<RollingPerplexity> rolling_perplexity(const EvalModel& model,
                                             std::span<const RollingDocument> documents,
                                             std::int64_t window, const EvalProgress& progress) {
  const auto resolved = resolve_window(window, model.context, model.context);
  if (!resolved) {
    return resolved.error();
  }
  RollingPerplexity report{.window = *resolved,
                           .documents = static_cast<std::int64_t>(documents.size())};
  std::vector<ScoreRequest> requests;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    const std::vector<std::int32_t> ids = model.encode(documents[i].text, false);
    append_rolling(ids, model.prefix_id, report.window, "document " + std::to_string(i + 1),
                   requests);
    report.tokens += static_cast<std::int64_t>(ids.size());
    report.words += word_count(documents[i].original);
    report.bytes += static_cast<std::int64_t>(documents[i].original.size());
  }
  if (report.tokens == 0) {
    return Error{ErrorKind::kData, "the documents have no token between them",
                 "point at a file with text"};
  }
  const auto scores = score_sequences(model, requests, progress);
  if (!scores) {
    return scores.error();
  }
  const double nll = -total(*scores);
  report.word_perplexity = std::exp(nll / static_cast<double>(report.words));
  report.byte_perplexity = std::exp(nll / static_cast<double>(report.bytes));
  report.bits_per_byte = nll / static_cast<double>(report.bytes) / std::log(2.0);
  report.token_perplexity = std::exp(nll / static_cast<double>(report.tokens));
  return report;
}

}  // namespace lathe
