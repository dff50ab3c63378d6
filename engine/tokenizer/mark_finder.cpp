// See mark_finder.h.
#include "engine/tokenizer/mark_finder.h"

#include <algorithm>

namespace lathe {
namespace {

bool is_space(char byte) {
  return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

}  // namespace

MarkFinder::MarkFinder(std::vector<Mark> marks) : marks_(std::move(marks)) {
  std::erase_if(marks_, [](const Mark& mark) { return mark.text.empty(); });
  std::stable_sort(marks_.begin(), marks_.end(),
                   [](const Mark& a, const Mark& b) { return a.text.size() > b.text.size(); });
  for (std::size_t i = 0; i < marks_.size(); ++i) {
    by_id_.try_emplace(marks_[i].id, i);
    by_first_[static_cast<unsigned char>(marks_[i].text.front())].push_back(i);
  }
}

const Mark* MarkFinder::find(std::int32_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &marks_[found->second];
}

const Mark* MarkFinder::longest_at(std::string_view text, std::size_t at, bool special) const {
  for (const std::size_t i : by_first_[static_cast<unsigned char>(text[at])]) {
    const Mark& mark = marks_[i];
    if ((special || !mark.special) && text.compare(at, mark.text.size(), mark.text) == 0) {
      return &mark;
    }
  }
  return nullptr;
}

std::vector<MarkFinder::Piece> MarkFinder::cut(std::string_view text, bool special) const {
  std::vector<Piece> pieces;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Mark* mark = longest_at(text, at, special);
    if (mark == nullptr) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (mark->strips_left && end > begin && is_space(text[end - 1])) {
      --end;
    }
    if (end > begin) {
      pieces.push_back({text.substr(begin, end - begin), nullptr});
    }
    pieces.push_back({text.substr(at, mark->text.size()), mark});
    at += mark->text.size();
    while (mark->strips_right && at < text.size() && is_space(text[at])) {
      ++at;
    }
    begin = at;
  }
  if (begin < text.size()) {
    pieces.push_back({text.substr(begin), nullptr});
  }
  return pieces;
}

}  // namespace lathe
