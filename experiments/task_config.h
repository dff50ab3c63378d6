// What a run measures before its first step and after its last, as `lathe eval` would.
#pragma once

#include <string>

#include "engine/eval/eval_spec.h"

namespace lathe::experiments {

struct TaskConfig {
  EvalTask task = EvalTask::kSentiment;
  std::string data = {};
  std::string data_hash = {};
  std::int64_t limit = 0;
  bool special = false;
  SentimentLabels labels = SentimentLabels::kAuto;
  std::string label_file = {};

  static constexpr auto fields() {
    using C = TaskConfig;
    return std::tuple{
        field("task", &C::task,
              {.help = "what is measured on eval.data before the first step and after the last, as "
                       "`lathe eval` does: any of its tasks but humaneval"}),
        field("data", &C::data,
              {.help = "the set's file, which is not trained on; empty: nothing is measured"}),
        field("data_hash", &C::data_hash,
              {.help = "SHA-256 of eval.data; filled in when a run begins"}),
        field("limit", &C::limit,
              {.lo = 0, .hi = 1e12, .help = "only the first so many items; 0 means all"}),
        field("special", &C::special,
              {.help = "begin contexts with the tokenizer's own special tokens (a BOS)"}),
        field("labels", &C::labels,
              {.help = "what the numbers of a sentiment set mean; auto goes by its fields' names"}),
        field("label_file", &C::label_file,
              {.help = "piqa: the labels, one a line; empty means NAME-labels.lst beside it"})};
  }
};
static_assert(complete<TaskConfig>());

}  // namespace lathe::experiments
