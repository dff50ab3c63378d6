// One reader a set; each row becomes an item or an error that names it.
#include "engine/eval/choice_sets.h"

#include <filesystem>
#include <functional>

#include "engine/data/plain_text.h"
#include "engine/data/row_file.h"
#include "engine/eval/text_rules.h"

namespace lathe {
namespace {

using ReadItem = std::function<Result<ChoiceItem>(const DataRow&)>;

Result<std::vector<ChoiceItem>> read_items(const std::string& path, const ReadItem& read) {
  const auto rows = read_rows(path);
  if (!rows) {
    return rows.error();
  }
  std::vector<ChoiceItem> items;
  for (const DataRow& row : *rows) {
    auto item = read(row);
    if (!item) {
      return item.error();
    }
    item->place = row.place;
    items.push_back(std::move(*item));
  }
  return items;
}

// One context, answers joined to it by a space.
ChoiceItem question(const std::string& context, const std::vector<std::string>& answers,
                    std::size_t gold) {
  ChoiceItem item{.choices = {}, .gold = gold, .place = {}};
  for (const std::string& answer : answers) {
    item.choices.push_back({.context = context, .continuation = ' ' + answer, .text = answer});
  }
  return item;
}

// Several text fields at once; the first that is missing is the error.
Result<std::vector<std::string>> text_fields(const DataRow& row,
                                             const std::vector<std::string_view>& names) {
  std::vector<std::string> values;
  for (const std::string_view name : names) {
    auto value = text_field(row, name);
    if (!value) {
      return value.error();
    }
    values.push_back(std::move(*value));
  }
  return values;
}

// Between two and 32 texts.
Result<std::vector<std::string>> answers_of(const DataRow& row, const Json& list) {
  constexpr std::size_t kMostAnswers = 32;
  std::vector<std::string> answers;
  for (const Json& answer : list.is_array() ? list : Json::array()) {
    if (!answer.is_string() || answers.size() == kMostAnswers) {
      answers.clear();
      break;
    }
    answers.push_back(answer.get<std::string>());
  }
  if (answers.size() < 2) {
    return row_error(row, "has no list of 2 to " + std::to_string(kMostAnswers) + " answers");
  }
  return answers;
}

Json member(const Json& object, std::string_view name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found == object.end() ? Json() : *found;
}

// ARC's answers: texts and labels, in either of its two published shapes.
Result<ChoiceItem> arc_item(const DataRow& row, const std::string& stem, const Json& choices) {
  Json texts = member(choices, "text");
  Json labels = member(choices, "label");
  if (choices.is_array()) {
    texts = labels = Json::array();
    for (const Json& choice : choices) {
      texts.push_back(member(choice, "text"));
      labels.push_back(member(choice, "label"));
    }
  }
  const auto answers = answers_of(row, texts);
  if (!answers) {
    return answers.error();
  }
  const auto key = text_field(row, "answerKey");
  if (!key) {
    return key.error();
  }
  for (std::size_t i = 0; i < answers->size() && i < labels.size(); ++i) {
    if (labels[i] == *key) {
      return question("Question: " + stem + "\nAnswer:", *answers, i);
    }
  }
  return row_error(row, "has the answerKey \"" + *key + "\", which is none of its labels");
}

Result<ChoiceItem> arc_row(const DataRow& row) {
  if (row.value.contains("query")) {
    const auto query = text_field(row, "query");
    const auto answers = answers_of(row, member(row.value, "choices"));
    if (!query || !answers) {
      return query ? answers.error() : query.error();
    }
    const auto gold = index_field(row, "gold", static_cast<std::int64_t>(answers->size()));
    if (!gold) {
      return gold.error();
    }
    const bool asked = query->starts_with("Question: ");
    return question((asked ? "" : "Question: ") + *query + "\nAnswer:", *answers,
                    static_cast<std::size_t>(*gold));
  }
  const Json asked = member(row.value, "question");
  if (asked.is_string()) {
    return arc_item(row, asked.get<std::string>(), member(row.value, "choices"));
  }
  const Json stem = member(asked, "stem");
  if (!stem.is_string()) {
    return row_error(row, "has no \"question\"");
  }
  return arc_item(row, stem.get<std::string>(), member(asked, "choices"));
}

Result<ChoiceItem> winogrande_row(const DataRow& row) {
  const auto fields = text_fields(row, {"sentence", "option1", "option2", "answer"});
  if (!fields) {
    return fields.error();
  }
  const std::string& sentence = (*fields)[0];
  const std::size_t blank = sentence.find('_');
  if (blank == std::string::npos) {
    return row_error(row, "has a sentence without the blank \"_\"");
  }
  if ((*fields)[3] != "1" && (*fields)[3] != "2") {
    return row_error(row, "has the answer \"" + (*fields)[3] + "\"; 1 and 2 are legal");
  }
  const std::string rest = ' ' + std::string(strip(std::string_view(sentence).substr(blank + 1)));
  ChoiceItem item{.choices = {}, .gold = (*fields)[3] == "1" ? 0u : 1u, .place = {}};
  for (std::size_t i = 1; i <= 2; ++i) {
    const std::string context = sentence.substr(0, blank) + (*fields)[i];
    item.choices.push_back({.context = context, .continuation = rest, .text = context});
  }
  return item;
}

Result<ChoiceItem> hellaswag_row(const DataRow& row) {
  std::string context;
  if (row.value.contains("ctx_a")) {
    const auto parts = text_fields(row, {"activity_label", "ctx_a", "ctx_b"});
    if (!parts) {
      return parts.error();
    }
    context = (*parts)[0] + ": " + (*parts)[1] + " " + capitalise((*parts)[2]);
  } else {
    auto whole = text_field(row, "ctx");
    if (!whole) {
      return whole.error();
    }
    context = std::move(*whole);
  }
  auto endings = answers_of(row, member(row.value, "endings"));
  if (!endings) {
    return endings.error();
  }
  for (std::string& ending : *endings) {
    ending = clean_hellaswag(ending);
  }
  const auto gold = index_field(row, "label", static_cast<std::int64_t>(endings->size()));
  if (!gold) {
    return gold.error();
  }
  return question(clean_hellaswag(context), *endings, static_cast<std::size_t>(*gold));
}

// The labels of a file beside the rows, one a line.
Result<std::vector<std::string>> read_labels(const std::string& path, std::size_t rows) {
  const auto text = read_text(path);
  if (!text) {
    return text.error();
  }
  const auto lines = split_lines(*text);
  if (lines.size() != rows) {
    return Error{ErrorKind::kData,
                 path + " has " + std::to_string(lines.size()) + " labels for " +
                     std::to_string(rows) + " items",
                 "name the label file of the same split"};
  }
  return std::vector<std::string>(lines.begin(), lines.end());
}

}  // namespace

Result<std::vector<ChoiceItem>> read_piqa(const std::string& path, const std::string& labels) {
  auto rows = read_rows(path);
  if (!rows) {
    return rows.error();
  }
  if (!rows->front().value.contains("label")) {
    const std::filesystem::path file(path);
    const auto beside = file.parent_path() / (file.stem().string() + "-labels.lst");
    const auto lines = read_labels(labels.empty() ? beside.string() : labels, rows->size());
    if (!lines) {
      return lines.error();
    }
    for (std::size_t i = 0; i < rows->size(); ++i) {
      (*rows)[i].value["label"] = std::string(strip((*lines)[i]));
    }
  }
  std::vector<ChoiceItem> items;
  for (const DataRow& row : *rows) {
    const auto fields = text_fields(row, {"goal", "sol1", "sol2"});
    const auto gold = index_field(row, "label", 2);
    if (!fields || !gold) {
      return fields ? gold.error() : fields.error();
    }
    items.push_back(question("Question: " + (*fields)[0] + "\nAnswer:",
                             {(*fields)[1], (*fields)[2]}, static_cast<std::size_t>(*gold)));
    items.back().place = row.place;
  }
  return items;
}

Result<std::vector<ChoiceItem>> read_hellaswag(const std::string& path) {
  return read_items(path, hellaswag_row);
}

Result<std::vector<ChoiceItem>> read_winogrande(const std::string& path) {
  return read_items(path, winogrande_row);
}

Result<std::vector<ChoiceItem>> read_arc(const std::string& path) {
  return read_items(path, arc_row);
}

Result<std::vector<ChoiceItem>> read_boolq(const std::string& path) {
  return read_items(path, [](const DataRow& row) -> Result<ChoiceItem> {
    const auto fields = text_fields(row, {"passage", "question"});
    if (!fields) {
      return fields.error();
    }
    const Json answer = member(row.value, "answer");
    std::int64_t gold = answer.is_boolean() && answer.get<bool>() ? 1 : 0;
    if (!answer.is_boolean()) {
      const auto label = index_field(row, "label", 2);
      if (!label) {
        return row_error(row, "has neither an \"answer\" true or false nor a \"label\" 0 or 1");
      }
      gold = *label;
    }
    return question((*fields)[0] + "\nQuestion: " + (*fields)[1] + "?\nAnswer:", {"no", "yes"},
                    static_cast<std::size_t>(gold));
  });
}

}  // namespace lathe
