// Rows to texts, labels and prompts.
#include "engine/data/sentiment_set.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <optional>
#include <set>

#include "engine/data/plain_text.h"
#include "engine/data/row_file.h"
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

// FinGPT speaks of tweets in TFNS and in FiQA's posts.
std::string prompt_of(std::string_view text, bool tweet) {
  return "Instruction: What is the sentiment of this " + std::string(tweet ? "tweet" : "news") +
         "? Please choose an answer from {negative/neutral/positive}.\nInput: " +
         std::string(text) + "\nAnswer: ";
}

// The text in a prompt that came rendered; all of it where it is not of FinGPT's form.
std::string_view text_in(std::string_view prompt) {
  constexpr std::string_view kBefore = "\nInput: ";
  const std::size_t begin = prompt.find(kBefore);
  const std::size_t end = prompt.rfind("\nAnswer:");
  if (begin == std::string_view::npos || end == std::string_view::npos ||
      begin + kBefore.size() > end) {
    return prompt;
  }
  return prompt.substr(begin + kBefore.size(), end - begin - kBefore.size());
}

SentimentLabels rule_of(const DataRow& first, SentimentLabels asked) {
  if (asked != SentimentLabels::kAuto) {
    return asked;
  }
  return first.value.contains("sentiment_score") ? SentimentLabels::kFiqa
         : first.value.contains("sentence")      ? SentimentLabels::kFpb
                                                 : SentimentLabels::kTfns;
}

Result<SentimentSet> read_plain(const std::vector<DataRow>& rows, SentimentLabels asked) {
  const SentimentLabels labels = rule_of(rows.front(), asked);
  SentimentSet set{.labels = kClasses, .rows = {}, .numbers = labels};
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
    const bool tweets = asked == SentimentLabels::kTfns ||
                        (labels == SentimentLabels::kTfns && !has_word_label(row));
    set.rows.push_back({*text, prompt_of(*text, tweets || post), *gold, row.place});
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

Result<SentimentSet> read_prompts(const std::vector<DataRow>& rows) {
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
  SentimentSet set{.labels = {targets.begin(), targets.end()}, .rows = {}};
  for (const DataRow& row : rows) {
    const std::string target(strip(row.value["target"].get_ref<const std::string&>()));
    const auto gold = std::distance(targets.begin(), targets.find(target));
    const std::string& prompt = row.value["context"].get_ref<const std::string&>();
    set.rows.push_back(
        {std::string(text_in(prompt)), prompt, static_cast<std::size_t>(gold), row.place});
  }
  return set;
}

}  // namespace

Result<SentimentSet> read_sentiment_set(const std::string& path, SentimentLabels labels) {
  const bool lines = std::filesystem::path(path).extension() == ".txt";
  const auto rows = lines ? read_phrase_bank(path) : read_rows(path);
  if (!rows) {
    return rows.error();
  }
  return rows->front().value.contains("context") ? read_prompts(*rows) : read_plain(*rows, labels);
}

std::string bare_text(std::string_view text) {
  std::string bare;
  bool apart = false;  // something was left out since the last letter
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text.substr(at).starts_with("http://") || text.substr(at).starts_with("https://")) {
      at = std::min(text.find_first_of(" \t\r\n", at), text.size());
    }
    const auto c = at < text.size() ? static_cast<unsigned char>(text[at]) : 0;
    if (std::isalnum(c) == 0 && c < 0x80) {
      apart = true;
      continue;
    }
    bare += apart && !bare.empty() ? " " : "";
    bare += c < 0x80 ? static_cast<char>(std::tolower(c)) : static_cast<char>(c);
    apart = false;
  }
  return bare.empty() ? std::string(text) : bare;
}

}  // namespace lathe
