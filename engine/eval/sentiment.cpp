// Readers of the finance sets.
#include "engine/eval/sentiment.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <optional>
#include <set>

#include "engine/data/row_file.h"
#include "engine/eval/text_rules.h"
#include "engine/tokenizer/utf8.h"

namespace lathe {
namespace {

constexpr std::size_t kNegative = 0;
constexpr std::size_t kNeutral = 1;
constexpr std::size_t kPositive = 2;
const std::vector<std::string> kClasses{"negative", "neutral", "positive"};
constexpr std::size_t kMostLabels = 64;

std::optional<double> number_of(const Json& value) {
  double number = std::nan("");
  if (value.is_number()) {
    number = value.get<double>();
  } else if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    if (std::from_chars(text.data(), text.data() + text.size(), number).ptr !=
        text.data() + text.size()) {
      return std::nullopt;
    }
  }
  return std::isfinite(number) ? std::optional(number) : std::nullopt;
}

std::optional<std::size_t> class_of_number(double number, SentimentLabels labels) {
  if (labels == SentimentLabels::kFiqa) {
    return number < -0.1 ? kNegative : number < 0.1 ? kNeutral : kPositive;
  }
  static constexpr std::array kFpb{kNegative, kNeutral, kPositive};
  static constexpr std::array kTfns{kNegative, kPositive, kNeutral};
  if (number != 0 && number != 1 && number != 2) {
    return std::nullopt;
  }
  return (labels == SentimentLabels::kFpb ? kFpb : kTfns)[static_cast<std::size_t>(number)];
}

bool has_word_label(const DataRow& row) {
  const auto label = row.value.find("label");
  return label != row.value.end() && !number_of(*label);
}

Result<std::size_t> class_of(const DataRow& row, SentimentLabels labels) {
  for (const char* name : {"label", "sentiment", "sentiment_score"}) {
    const auto found = row.value.find(name);
    if (found == row.value.end()) {
      continue;
    }
    if (found->is_string()) {
      const auto at = std::find(kClasses.begin(), kClasses.end(), found->get<std::string>());
      if (at != kClasses.end()) {
        return static_cast<std::size_t>(at - kClasses.begin());
      }
    }
    const auto number = number_of(*found);
    const auto chosen = number ? class_of_number(*number, labels) : std::nullopt;
    if (!chosen) {
      return row_error(row, "has the label " + found->dump() + ", which " +
                                std::string(enum_name(labels)) + " does not have");
    }
    return *chosen;
  }
  return row_error(row, "has no \"label\", \"sentiment\" or \"sentiment_score\"");
}

ChoiceItem item_of(const std::string& prompt, const std::vector<std::string>& labels,
                   std::size_t gold, const std::string& place) {
  // The prompt ends in a space, which joint encoding moves in front of the label.
  ChoiceItem item{.choices = {}, .gold = gold, .place = place};
  for (const std::string& label : labels) {
    item.choices.push_back({.context = prompt, .continuation = label, .text = label});
  }
  return item;
}

SentimentLabels rule_of(const DataRow& first, SentimentLabels asked) {
  if (asked != SentimentLabels::kAuto) {
    return asked;
  }
  return first.value.contains("sentiment_score") ? SentimentLabels::kFiqa
         : first.value.contains("sentence")      ? SentimentLabels::kFpb
                                                 : SentimentLabels::kTfns;
}

Result<LabelledSet> read_plain(const std::vector<DataRow>& rows, SentimentLabels asked) {
  const SentimentLabels labels = rule_of(rows.front(), asked);
  LabelledSet set{.labels = kClasses, .items = {}, .numbers = labels};
  for (const DataRow& row : rows) {
    const auto text = text_field(row, row.value.contains("text") ? "text" : "sentence");
    if (!text) {
      return text.error();
    }
    const auto gold = class_of(row, labels);
    if (!gold) {
      return gold.error();
    }
    const auto format = row.value.find("format");
    const bool post = format != row.value.end() && *format == "post";
    // FinGPT speaks of tweets in TFNS and in FiQA's posts.
    const bool tweets = asked == SentimentLabels::kTfns ||
                        (labels == SentimentLabels::kTfns && !has_word_label(row));
    const std::string kind = tweets || post ? "tweet" : "news";
    set.items.push_back(item_of("Instruction: What is the sentiment of this " + kind +
                                    "? Please choose an answer from {negative/neutral/positive}."
                                    "\nInput: " +
                                    *text + "\nAnswer: ",
                                set.labels, *gold, row.place));
  }
  return set;
}

// "sentence@label" lines. The file of 2014 is Latin-1.
Result<std::vector<DataRow>> read_phrase_bank(const std::string& path) {
  const auto bytes = read_bytes(path);
  if (!bytes) {
    return bytes.error();
  }
  const std::string text = is_utf8(*bytes) ? *bytes : latin1_as_utf8(*bytes);
  std::vector<DataRow> rows;
  std::size_t number = 0;
  for (const std::string_view line : split_lines(text)) {
    DataRow row{.value = Json::object(), .place = place_of(path, ++number)};
    const std::size_t at = line.rfind('@');
    if (at == std::string_view::npos) {
      return row_error(row, "is no \"sentence@label\"");
    }
    row.value["sentence"] = line.substr(0, at);
    row.value["label"] = strip(line.substr(at + 1));
    rows.push_back(std::move(row));
  }
  if (rows.empty()) {
    return Error{ErrorKind::kData, path + " has no items", "name a file with some"};
  }
  return rows;
}

Result<LabelledSet> read_prompts(const std::vector<DataRow>& rows) {
  std::set<std::string> targets;
  for (const DataRow& row : rows) {
    const auto context = text_field(row, "context");
    const auto target = text_field(row, "target");
    if (!context || !target) {
      return context ? target.error() : context.error();
    }
    targets.emplace(strip(*target));
    if (targets.size() > kMostLabels) {
      return row_error(row, "brings the file to more than " + std::to_string(kMostLabels) +
                                " different targets: its answers are no labels");
    }
  }
  LabelledSet set{.labels = {targets.begin(), targets.end()}, .items = {}};
  for (const DataRow& row : rows) {
    const std::string target(strip(row.value["target"].get_ref<const std::string&>()));
    const auto gold = std::distance(targets.begin(), targets.find(target));
    set.items.push_back(item_of(row.value["context"].get<std::string>(), set.labels,
                                static_cast<std::size_t>(gold), row.place));
  }
  return set;
}

}  // namespace

Result<LabelledSet> read_sentiment(const std::string& path, SentimentLabels labels) {
  const bool lines = std::filesystem::path(path).extension() == ".txt";
  const auto rows = lines ? read_phrase_bank(path) : read_rows(path);
  if (!rows) {
    return rows.error();
  }
  return rows->front().value.contains("context") ? read_prompts(*rows) : read_plain(*rows, labels);
}

}  // namespace lathe
