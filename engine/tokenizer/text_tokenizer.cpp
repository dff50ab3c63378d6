// What all tokenizers share.
#include "engine/tokenizer/text_tokenizer.h"

#include "engine/tokenizer/utf8.h"

namespace lathe {

std::vector<std::int32_t> TextTokenizer::encode(std::string_view text, bool marks) const {
  std::vector<std::int32_t> ids;
  if (special_.add_bos && special_.bos >= 0) {
    ids.push_back(special_.bos);
  }
  encoder()->encode(text, marks, ids);
  if (special_.add_eos && special_.eos >= 0) {
    ids.push_back(special_.eos);
  }
  return ids;
}

std::string TextTokenizer::decode(std::span<const std::int32_t> ids, bool with_marks) const {
  std::string text;
  bool first = true;
  for (const std::int32_t id : ids) {
    const bool mark = is_mark(id);
    if (mark && !with_marks) {
      continue;
    }
    std::string bytes = token_bytes(id);
    if (first && !mark && pads_first_space() && !bytes.empty() && bytes.front() == ' ') {
      bytes.erase(0, 1);
    }
    first = false;
    text += bytes;
  }
  return text;
}

std::string TextStream::push(std::int32_t id) {
  if (tokenizer_->is_mark(id)) {
    return {};
  }
  waiting_ += tokenizer_->token_bytes(id);
  const std::size_t unfinished = unfinished_utf8(waiting_);
  std::string whole = waiting_.substr(0, waiting_.size() - unfinished);
  waiting_.erase(0, waiting_.size() - unfinished);
  return whole;
}

std::string TextStream::finish() {
  const bool unfinished = !waiting_.empty();
  waiting_.clear();
  return unfinished ? "\xEF\xBF\xBD" : "";
}

}  // namespace lathe
