// Plain scans, linear in the text: the rules' regular expressions backtrack on hostile pages.
#include "engine/eval/text_rules.h"

#include <algorithm>

#include "engine/data/plain_text.h"

namespace lathe {
namespace {

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0;;) {
    const std::size_t found = text.find(from, at);
    out += text.substr(at, found == std::string_view::npos ? found : found - at);
    if (found == std::string_view::npos) {
      return out;
    }
    out += to;
    at = found + from.size();
  }
}

// White space goes from both inner sides of each `open`...`close`: open \s* ([^close]*?) \s* close.
std::string tightened(std::string_view text, char open, char close) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0;;) {
    const std::size_t begin = text.find(open, at);
    const std::size_t end = begin == std::string_view::npos ? begin : text.find(close, begin + 1);
    if (end == std::string_view::npos) {
      out += text.substr(at);
      return out;
    }
    out += text.substr(at, begin + 1 - at);
    out += strip(text.substr(begin + 1, end - begin - 1));
    out += close;
    at = end + 1;
  }
}

}  // namespace

std::int64_t character_count(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

std::int64_t word_count(std::string_view text) {
  std::int64_t runs = 0;
  bool in_space = false;
  for (std::size_t at = 0; at < text.size();) {
    const bool space = is_space(next_code_point(text, at));
    runs += space && !in_space ? 1 : 0;
    in_space = space;
  }
  return runs + 1;
}

std::string clean_hellaswag(std::string_view text) {
  const std::string titled = replaced(strip(text), " [title]", ". ");
  std::string out;
  // \[.*?\] on one line; `stop`, the next bracket or line end, is looked for once.
  std::size_t stop = 0;
  for (std::size_t at = 0; at < titled.size();) {
    if (stop <= at) {
      stop = std::min(titled.find_first_of("]\n", at), titled.size());
    }
    if (titled[at] == '[' && stop < titled.size() && titled[stop] == ']') {
      at = stop + 1;
    } else {
      out += titled[at++];
    }
  }
  return replaced(out, "  ", " ");
}

std::string capitalise(std::string_view text) {
  std::string out(text);
  for (std::size_t i = 0; i < out.size(); ++i) {
    char& c = out[i];
    if (i == 0 && c >= 'a' && c <= 'z') {
      c = static_cast<char>(c - 'a' + 'A');
    } else if (i > 0 && c >= 'A' && c <= 'Z') {
      c = static_cast<char>(c - 'A' + 'a');
    }
  }
  return out;
}

std::vector<std::string> wikitext_pages(std::string_view text) {
  std::vector<std::string> pages;
  std::string page;
  bool has_line = false;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    const std::string flat = replaced(replaced(line, "= = =", "==="), "= =", "==");
    const std::string_view title = strip(flat);
    if (title.starts_with("= ") && title.ends_with(" =")) {
      if (!strip(page).empty()) {
        pages.push_back(page);
      }
      page.clear();
      has_line = false;
    }
    page += has_line ? "\n" : "";
    page += line;
    has_line = true;
    at = end + 1;
  }
  if (!strip(page).empty()) {
    pages.push_back(std::move(page));
  }
  return pages;
}

std::string detokenise_wikitext(std::string_view page) {
  std::string text = replaced(page, "s '", "s'");
  for (const auto& [from, to] : {std::pair{" @-@ ", "-"},
                                 {" @,@ ", ","},
                                 {" @.@ ", "."},
                                 {" : ", ": "},
                                 {" ; ", "; "},
                                 {" . ", ". "},
                                 {" ! ", "! "},
                                 {" ? ", "? "},
                                 {" , ", ", "}}) {
    text = replaced(text, from, to);
  }
  for (const auto& [open, close] :
       {std::pair{'(', ')'}, {'[', ']'}, {'{', '}'}, {'"', '"'}, {'\'', '\''}}) {
    text = tightened(text, open, close);
  }
  for (const auto& [from, to] : {std::pair{"= = = =", "===="},
                                 {"= = =", "==="},
                                 {"= =", "=="},
                                 {" \u00b0 ", "\u00b0"},
                                 {" \n", "\n"},
                                 {"\n ", "\n"},
                                 {" N ", " 1 "},
                                 {" 's", "'s"}}) {
    text = replaced(text, from, to);
  }
  return text;
}

}  // namespace lathe
