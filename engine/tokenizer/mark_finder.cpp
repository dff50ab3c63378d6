// See mark_finder.h.
#include "engine/tokenizer/mark_finder.h"

#include <algorithm>

namespace lathe {
namespace {

// Unicode's White_Space: in published files a mark takes all of it, not only what ASCII has.
constexpr std::array<std::string_view, 25> kSpaces = {
    "\t",           "\n",           "\v",           "\f",           "\r",           " ",
    "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81", "\xE2\x80\x82",
    "\xE2\x80\x83", "\xE2\x80\x84", "\xE2\x80\x85", "\xE2\x80\x86", "\xE2\x80\x87", "\xE2\x80\x88",
    "\xE2\x80\x89", "\xE2\x80\x8A", "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F",
    "\xE3\x80\x80"};

std::size_t spaces_at_start(std::string_view text) {
  std::size_t length = 0;
  for (bool more = true; more;) {
    more = false;
    for (const std::string_view space : kSpaces) {
      if (text.substr(length).starts_with(space)) {
        length += space.size();
        more = true;
      }
    }
  }
  return length;
}

std::size_t spaces_at_end(std::string_view text) {
  std::size_t length = 0;
  for (bool more = true; more;) {
    more = false;
    for (const std::string_view space : kSpaces) {
      if (text.substr(0, text.size() - length).ends_with(space)) {
        length += space.size();
        more = true;
      }
    }
  }
  return length;
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
    std::string_view before = text.substr(begin, at - begin);
    before.remove_suffix(mark->strips_left ? spaces_at_end(before) : 0);
    if (!before.empty()) {
      pieces.push_back({before, nullptr});
    }
    pieces.push_back({text.substr(at, mark->text.size()), mark});
    at += mark->text.size();
    at += mark->strips_right ? spaces_at_start(text.substr(at)) : 0;
    begin = at;
  }
  if (begin < text.size()) {
    pieces.push_back({text.substr(begin), nullptr});
  }
  return pieces;
}

}  // namespace lathe
