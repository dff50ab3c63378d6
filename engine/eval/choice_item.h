// A question with answers to choose from, as all sets of multiple choice and classification become.
#pragma once

#include <string>
#include <vector>

namespace lathe {

// One answer: what the model reads and what it is scored on. The harness normalises by the length
// of the answer's own text, without the space that joins it to the context.
struct Choice {
  std::string context;
  std::string continuation;
  std::string text;
};

struct ChoiceItem {
  std::vector<Choice> choices;
  std::size_t gold = 0;
  std::string place;  // "piqa.jsonl:12", for messages
};

}  // namespace lathe
