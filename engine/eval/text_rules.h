// Text as the evaluation rules want it: what counts as a character, a word, a page; the clean-ups
// that lm-evaluation-harness applies before it scores. Texts are valid UTF-8 (data/row_file.h
// checks); white space is that of data/plain_text.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lathe {

// Code points, as Python's len() counts them.
std::int64_t character_count(std::string_view text);

// Pieces between runs of white space, empty ones at either end counted: len(re.split(r"\s+", text))
// in Python, by which word perplexity divides.
std::int64_t word_count(std::string_view text);

// HellaSwag: artefacts of its WikiHow part go ("[header] ...", " [title]" becomes ". ").
std::string clean_hellaswag(std::string_view text);

// First letter upper case, the others lower case (ASCII letters; others stay as they are).
std::string capitalise(std::string_view text);

// The pages of a WikiText file, split at its headings of first order (" = Title = ").
std::vector<std::string> wikitext_pages(std::string_view text);

// WikiText's tokenised text as ordinary text, the rules of lm-evaluation-harness' task `wikitext`.
std::string detokenise_wikitext(std::string_view page);

}  // namespace lathe
