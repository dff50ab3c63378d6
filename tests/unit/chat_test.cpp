// Prompts and conversations as ids, and the ids that end an answer.
#include "engine/lm/chat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/tokenizer/corpus_tokenizer.h"
#include "engine/tokenizer/tokenizer_json.h"
#include "tests/support/model_folder.h"

namespace lathe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::unique_ptr<TextTokenizer> tokenizer() {
  auto read = read_tokenizer_json(test::byte_tokenizer_json().dump(),
                                  R"({"eos_token": "<|im_end|>"})", "tokenizer.json");
  EXPECT_TRUE(read.ok());
  return std::move(*read);
}

TEST(Chat, MarksOfTheTemplateAreIdsAndThoseInAPlainPromptAreText) {
  const auto bytes = tokenizer();
  const auto chat = chat_renderer(
      "{% for m in messages %}<|im_start|>{{ m.content }}{{ eos_token }}{% endfor %}"
      "{% if add_generation_prompt %}>{% endif %}",
      *bytes);
  ASSERT_TRUE(chat.ok()) << chat.error().text();
  const std::vector<ChatMessage> messages{{"user", "a"}};
  const auto ids = encode_chat(*bytes, *chat, messages);
  ASSERT_TRUE(ids.ok()) << ids.error().text();
  EXPECT_THAT(*ids, ElementsAre(256, 'a', 257, '>'));
  EXPECT_EQ(encode_prompt(*bytes, "<|im_end|>").size(), 10u);
  EXPECT_EQ(*(*chat)(messages, false), "<|im_start|>a<|im_end|>");
}

TEST(Chat, APlainPromptBeginsAsTheModelWantsAndDoesNotEnd) {
  const auto bytes = tokenizer();
  EXPECT_TRUE(encode_prompt(*bytes, "").empty());
  bytes->set_special({.bos = 256, .eos = 257, .add_bos = true, .add_eos = true});
  EXPECT_THAT(encode_prompt(*bytes, "ab"), ElementsAre(256, 'a', 'b'));
  EXPECT_THAT(encode_prompt(*bytes, ""), ElementsAre(256));
}

TEST(Chat, AnAnswerEndsWithTheModelsEndOrAKnownMark) {
  const auto bytes = tokenizer();
  EXPECT_THAT(stop_ids(*bytes), ElementsAre(257));
  bytes->set_special({.eos = 10});
  EXPECT_THAT(stop_ids(*bytes), ElementsAre(10, 257));
}

TEST(Chat, ACorpusTokenizerWearsTheSameFace) {
  const auto own = std::make_shared<const Tokenizer>(
      *Tokenizer::bpe({{'a', 'b'}, {kFirstMergeId, 'c'}}, kFirstMergeId + 2));
  const auto worn = as_text_tokenizer(own);
  std::vector<std::int32_t> ids;
  Encoder(*own).encode("abcab <|end|>", ids);
  EXPECT_EQ(worn->encode("abcab <|end|>", true), ids);
  EXPECT_EQ(worn->decode(ids), "abcab <|end|>");
  EXPECT_EQ(worn->vocab_size(), own->vocab_size());
  EXPECT_EQ(worn->token_bytes(kFirstMergeId + 1), "abc");
  EXPECT_EQ(worn->decode(std::vector<std::int32_t>{'a', kEndMark}), "a");
  EXPECT_EQ(worn->find("<|end|>"), kEndMark);
  EXPECT_THAT(stop_ids(*worn), ElementsAre(kEndMark));
}

TEST(Chat, AnUnreadableTemplateIsSaid) {
  const auto chat = chat_renderer("{% if %}", *tokenizer());
  ASSERT_FALSE(chat.ok());
  EXPECT_THAT(chat.error().text(), HasSubstr("chat template"));
}

}  // namespace
}  // namespace lathe
