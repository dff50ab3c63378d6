// The tokenizer of a corpus behind the face that models' own tokenizers have.
#pragma once

#include <memory>

#include "engine/tokenizer/text_tokenizer.h"
#include "engine/tokenizer/tokenizer.h"

namespace lathe {

// Same ids, same text. Its one mark is the end mark, which a text may begin behind too; written out
// in a text it stays text.
std::unique_ptr<TextTokenizer> as_text_tokenizer(std::shared_ptr<const Tokenizer> tokenizer);

}  // namespace lathe
