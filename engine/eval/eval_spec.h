// One evaluation completely described, as the command line, the window and the store share it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/describe.h"
#include "engine/eval/sentiment.h"

namespace lathe {

enum class EvalTask : std::uint8_t {
  kPpl,
  kRolling,
  kPiqa,
  kHellaswag,
  kWinogrande,
  kArc,
  kBoolq,
  kSentiment,
  kHumaneval
};
template <>
struct EnumNames<EvalTask> {
  static constexpr std::array<std::string_view, 9> names{"ppl",       "rolling",    "piqa",
                                                         "hellaswag", "winogrande", "arc",
                                                         "boolq",     "sentiment",  "humaneval"};
};

// How a text file is meant. JSON lines bring a document a line either way.
enum class TextForm : std::uint8_t { kPlain, kWikitext };
template <>
struct EnumNames<TextForm> {
  static constexpr std::array<std::string_view, 2> names{"plain", "wikitext"};
};

struct EvalSpec {
  EvalTask task = EvalTask::kPpl;
  std::string data = "";
  std::int64_t limit = 0;
  std::int64_t window = 0;
  TextForm text = TextForm::kPlain;
  bool special = false;
  SentimentLabels labels = SentimentLabels::kAuto;
  std::string label_file = "";
  std::string completions = "";
  double code_secs = 3.0;
  std::int64_t samples = 1;
  double temperature = 0.2;
  double top_p = 0.95;
  std::int64_t max_tokens = 512;
  std::int64_t seed = 1;
  bool int8_products = false;
  double int8_threshold = 6.0;

  // Of LanguageModel::open().
  std::optional<double> int8() const {
    return int8_products ? std::optional(int8_threshold) : std::nullopt;
  }

  static constexpr auto fields() {
    using C = EvalSpec;
    return std::tuple{
        field("task", &C::task,
              {.help = "what is measured: ppl (windows of the joined text), rolling (documents, as "
                       "lm-evaluation-harness' wikitext), a set of multiple choice, sentiment or "
                       "humaneval"}),
        field("data", &C::data, {.help = "the file: text, or the set in its own schema"}),
        field("limit", &C::limit,
              {.lo = 0,
               .hi = 1e12,
               .help = "only the first so many items, documents or windows; 0 means all"}),
        field("window", &C::window,
              {.lo = 0,
               .hi = 1 << 20,
               .unit = "tokens",
               .help = "of ppl and rolling; 0 means the model's context (of ppl at most 2048)"}),
        field("text", &C::text,
              {.help = "plain: as it is, one document; wikitext: lines are rows joined by two "
                       "newlines (ppl), or pages, detokenised (rolling)"}),
        field("special", &C::special,
              {.help = "begin contexts of multiple choice and sentiment with the tokenizer's own "
                       "special tokens; the harness does not by default"}),
        field("labels", &C::labels,
              {.help = "what the numbers of a sentiment set mean; auto goes by its fields' names"}),
        field(
            "label_file", &C::label_file,
            {.help = "piqa: the labels, one a line; empty means NAME-labels.lst beside the data"}),
        field("completions", &C::completions,
              {.help = "humaneval: samples to judge, {task_id, completion} a line; empty means the "
                       "model writes them"}),
        field("code_secs", &C::code_secs,
              {.lo = 0.1, .hi = 600, .unit = "s", .help = "humaneval: time for one sample"}),
        field("samples", &C::samples,
              {.lo = 1, .hi = 10000, .help = "humaneval: samples the model writes a problem"}),
        field("temperature", &C::temperature,
              {.lo = 0,
               .hi = 10,
               .help = "humaneval: of the samples; 0 takes the likeliest token each time"}),
        field("top_p", &C::top_p, {.lo = 0.01, .hi = 1, .help = "humaneval: of the samples"}),
        field("max_tokens", &C::max_tokens,
              {.lo = 1, .hi = 100000, .unit = "tokens", .help = "humaneval: of one sample"}),
        field("seed", &C::seed, {.lo = 0, .hi = 1e9, .help = "humaneval: decides the samples"}),
        field("int8_products", &C::int8_products,
              {.help = "multiply matrices of int8_row in integers, activations rounded to 8 bits "
                       "row by row (LLM.int8)"}),
        field("int8_threshold", &C::int8_threshold,
              {.lo = 0,
               .hi = 1e6,
               .help = "int8_products: columns of activations that reach it are multiplied in "
                       "floats (outliers); 0: none"})};
  }
};
static_assert(complete<EvalSpec>());

}  // namespace lathe
