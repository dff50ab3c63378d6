// What a token of a vocabulary is, by the numbers that SentencePiece and GGUF files share.
#pragma once

#include <cstdint>

namespace lathe {

constexpr std::int32_t kNormalToken = 1;
constexpr std::int32_t kUnknownToken = 2;
constexpr std::int32_t kControlToken = 3;  // a mark for the model
constexpr std::int32_t kUserToken = 4;     // found in a text as a whole, before any merging
constexpr std::int32_t kUnusedToken = 5;
constexpr std::int32_t kByteToken = 6;  // "<0x0A>"

}  // namespace lathe
