// Looks through a SentencePiece model before its library gets it: the library trusts the table of
// its normaliser, an array of jumps, wherever that leads.
#pragma once

#include <string>
#include <string_view>

namespace lathe {

// What is wrong with the bytes of a tokenizer.model, empty if nothing is.
std::string sentencepiece_damage(std::string_view model);

}  // namespace lathe
