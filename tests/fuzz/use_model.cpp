// See use_model.h.
#include "tests/fuzz/use_model.h"

#include <algorithm>
#include <array>

#include "engine/base/check.h"
#include "engine/io/model_names.h"
#include "engine/tokenizer/chat_template.h"

namespace lathe::fuzz {
namespace {

// Words, numbers, spaces in runs, marks, a character of each length in UTF-8, and bytes of none.
constexpr std::array<std::string_view, 4> kTexts{
    "", "Once upon a time,  there were 1234 cats.\n\n\t They're  all",
    "<s><|im_start|>user\nh\xC3\xA9 \xE2\x96\x81\xE6\xB0\xB4 \xF0\x9F\x98\x80</s>",
    "\xff\xc3(\xe2\x82 \xf0\x9f aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"};

volatile unsigned sink = 0;

void touch_text(std::string_view text) {
  touch(std::as_bytes(std::span(text.data(), text.size())));
}

}  // namespace

std::string_view text_of(const unsigned char* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

void touch(std::span<const std::byte> bytes) {
  unsigned sum = 0;
  for (const std::byte byte : bytes) {
    sum += static_cast<unsigned>(byte);
  }
  sink = sum;
}

void use_tokenizer(const TextTokenizer& tokenizer) {
  const std::int64_t size = tokenizer.vocab_size();
  for (const bool marks : {false, true}) {
    for (const std::string_view text : kTexts) {
      const std::vector<std::int32_t> ids = tokenizer.encode(text, marks);
      for (const std::int32_t id : ids) {
        CHECK(id >= 0 && id < size, "an encoded text has ids of the vocabulary");
      }
      touch_text(tokenizer.decode(ids, marks));
    }
  }
  for (const std::int64_t id : {std::int64_t{-1}, std::int64_t{0}, size - 1, size}) {
    touch_text(tokenizer.token_bytes(static_cast<std::int32_t>(id)));
  }
  const SpecialTokens& special = tokenizer.special();
  for (const std::int32_t id : {special.bos, special.eos, special.pad, special.unknown}) {
    CHECK(id >= -1 && id < size, "a special token is of the vocabulary");
  }
  CHECK(tokenizer.find("<s>") < size, "a found token is of the vocabulary");
}

void use_chat_template(std::string_view source) {
  const auto chat = ChatTemplate::parse(source);
  if (!chat) {
    return;
  }
  const std::array messages{ChatMessage{"system", "Be brief."},
                            ChatMessage{"user", " What is 2+2?"}, ChatMessage{"assistant", "4"},
                            ChatMessage{"user", "h\xC3\xA9\xff"}};
  const auto text = chat->render(
      messages, {.add_generation_prompt = true, .bos_token = "<s>", .eos_token = "</s>"});
  if (text) {
    touch_text(*text);
  }
}

void use_config(const ModelConfig& model) {
  CHECK(model.head_dim() > 0 && model.kv_width() > 0 && model.ff_width() > 0 &&
            model.vocab_size > 0 && model.heads % model.kv_head_count() == 0,
        "a config that passed its checks has the widths of a model");
  for (const NamedWeight& weight : named_weights(model, NameScheme::kHfLlama)) {
    CHECK(weight.tensor.elements() > 0, "every weight has elements");
  }
}

void use_slots(const std::vector<LinearPlan>& slots) {
  for (const LinearPlan& slot : slots) {
    const bool factored = slot.storage == LinearStorage::kLowRank;
    CHECK(!factored || (slot.rank >= 1 && slot.rank <= std::min(slot.in, slot.out)),
          "factors that passed have a rank");
  }
}

}  // namespace lathe::fuzz
