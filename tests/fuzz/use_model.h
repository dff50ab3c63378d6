// What a program does with what it has read, so that a fuzzer sees a value that was let through and
// breaks something later.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/nn/linear_plan.h"
#include "engine/nn/model_config.h"
#include "engine/tokenizer/text_tokenizer.h"

namespace lathe::fuzz {

// Bytes as text: most readers take text.
std::string_view text_of(const unsigned char* data, std::size_t size);

// Reads every byte.
void touch(std::span<const std::byte> bytes);

// Ids of some texts and their texts again; CHECKs that ids are within the vocabulary or -1.
void use_tokenizer(const TextTokenizer& tokenizer);

// Parses a chat template and renders a conversation with it.
void use_chat_template(std::string_view source);

// CHECKs that numbers of a config that passed can be computed with.
void use_config(const ModelConfig& model);
// The same of slots.
void use_slots(const std::vector<LinearPlan>& slots);

}  // namespace lathe::fuzz
