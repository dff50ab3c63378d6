// Finds marks (added tokens, "<|im_end|>") that are written out in a text.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lathe {

struct Mark {
  std::string text;
  std::int32_t id = 0;
  bool special = true;        // means something to the model alone; else it is text like any other
  bool strips_left = false;   // takes the white space before it
  bool strips_right = false;  // and after it
};

class MarkFinder {
 public:
  explicit MarkFinder(std::vector<Mark> marks);

  const std::vector<Mark>& marks() const { return marks_; }
  // nullptr if the id is none.
  const Mark* find(std::int32_t id) const;

  struct Piece {
    std::string_view text;
    const Mark* mark = nullptr;  // null: text between marks
  };
  // Cuts the text at the leftmost, then longest, marks. Without `special` only those count that are
  // text.
  std::vector<Piece> cut(std::string_view text, bool special) const;

 private:
  const Mark* longest_at(std::string_view text, std::size_t at, bool special) const;

  std::vector<Mark> marks_;  // longest first
  std::unordered_map<std::int32_t, std::size_t> by_id_;
  std::array<std::vector<std::size_t>, 256> by_first_;  // places in marks_, longest first
};

}  // namespace lathe
