// Samples: schemas, prompts, which tokens are learnt, parts, and files that lie.
#include "engine/data/sample.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "engine/data/batch_source.h"
#include "engine/data/sample_coder.h"
#include "engine/data/sample_prompt.h"
#include "engine/data/sample_source.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using Source = std::shared_ptr<const TokenSource>;

class Samples : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              ("samples_" + std::to_string(getpid()) + "_" +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return (folder_ / name).string();
  }

  fs::path folder_;
};

DataConfig instruct(const std::string& path) {
  DataConfig config;
  config.kind = DataKind::kInstruct;
  config.path = path;
  config.tokenizer = TokenizerKind::kByte;
  config.heldout = 0.2;
  return config;
}

DataConfig chat(const std::string& path) {
  DataConfig config = instruct(path);
  config.kind = DataKind::kChat;
  return config;
}

std::string instruct_lines(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += Json{{"instruction", "add one to " + std::to_string(i)},
                 {"input", i % 2 == 0 ? "" : "in words"},
                 {"output", "it is " + std::to_string(i + 1)}}
                .dump() +
            "\n";
  }
  return text;
}

// What the model is to write after the tokens of a sample, and everything it reads.
struct Learnt {
  std::string text;
  std::string answer;
  bool ends = false;
};

std::vector<Learnt> learnt(const TokenSource& source, Split split) {
  const SampleStream stream = source.samples(split);
  std::vector<Learnt> all;
  for (std::size_t i = 0; i + 1 < stream.begins.size(); ++i) {
    Learnt one;
    for (std::int64_t at = stream.begins[i]; at < stream.begins[i + 1]; ++at) {
      one.text += source.decode(source.tokens(split).subspan(static_cast<std::size_t>(at), 1));
      const std::int32_t target = stream.targets[static_cast<std::size_t>(at)];
      one.ends = target == kEndMark;
      if (target >= 0 && !one.ends) {
        one.answer += static_cast<char>(target);
      }
    }
    all.push_back(one);
  }
  return all;
}

TEST_F(Samples, AlpacaInstructionsAreLearntByTheirAnswersAlone) {
  const std::string path = write("a.jsonl", instruct_lines(40));
  const auto source = open_samples(instruct(path), 400, {}, {});
  ASSERT_TRUE(source.ok()) << source.error().text();
  const CorpusInfo& info = (*source)->info();
  EXPECT_EQ(info.train_samples + info.heldout_samples, 40);
  EXPECT_GT(info.heldout_samples, 1);
  EXPECT_EQ(info.cut_samples + info.dropped_samples, 0);
  EXPECT_EQ(left_out_note(info), "");
  std::set<std::string> answers;
  for (const Split split : {Split::kTrain, Split::kHeldout}) {
    for (const Learnt& one : learnt(**source, split)) {
      EXPECT_THAT(one.text, testing::StartsWith("Below is an instruction that describes a task"));
      EXPECT_THAT(one.text, HasSubstr("\n\n### Response:" + one.answer));
      EXPECT_EQ(one.text.find("### Input:\nin words\n\n") != std::string::npos,
                one.text.find("paired with an input") != std::string::npos);
      EXPECT_TRUE(one.ends) << "the end of an answer is learnt too";
      answers.insert(one.answer);
    }
  }
  EXPECT_EQ(answers.size(), 40u);
  EXPECT_TRUE(answers.count("it is 1"));
}

TEST_F(Samples, AnArrayAndLinesGiveTheSame) {
  const std::string lines = instruct_lines(12);
  std::string array = "[" + lines;
  for (std::size_t at = array.find("}\n{"); at != std::string::npos; at = array.find("}\n{")) {
    array.replace(at, 2, "},");
  }
  const auto a = open_samples(instruct(write("a.jsonl", lines)), 400, {}, {});
  const auto b = open_samples(instruct(write("b.json", array + "]")), 400, {}, {});
  ASSERT_TRUE(a.ok() && b.ok()) << (b.ok() ? "" : b.error().text());
  EXPECT_EQ((*a)->info().digest, (*b)->info().digest);
}

TEST_F(Samples, ConversationsAreLearntByEveryAnswer) {
  const Json messages = Json::array({{{"role", "system"}, {"content", "be brief"}},
                                     {{"role", "user"}, {"content", "one?"}},
                                     {{"role", "assistant"}, {"content", "1"}},
                                     {{"role", "user"}, {"content", "two?"}},
                                     {{"role", "assistant"}, {"content", "2"}},
                                     {{"role", "user"}, {"content", "never answered"}}});
  Json other = messages;
  other[2]["content"] = "11";
  const std::string path = write("c.jsonl", Json{{"messages", messages}}.dump() + "\n" +
                                                Json{{"messages", other}}.dump() + "\n");
  const auto source = open_samples(chat(path), 400, {}, {});
  ASSERT_TRUE(source.ok()) << source.error().text();
  std::set<std::string> answers;
  for (const Split split : {Split::kTrain, Split::kHeldout}) {
    for (const Learnt& one : learnt(**source, split)) {
      EXPECT_THAT(one.text, testing::StartsWith("<|im_start|>system\nbe brief<|im_end|>\n"));
      EXPECT_THAT(one.text, testing::Not(HasSubstr("never answered")));
      answers.insert(one.answer);
    }
  }
  EXPECT_EQ(answers,
            (std::set<std::string>{"1<|im_end|>\n2<|im_end|>\n", "11<|im_end|>\n2<|im_end|>\n"}));
}

TEST_F(Samples, AModelsOwnTemplateIsTakenWherePresent) {
  const std::string path = write("a.jsonl", instruct_lines(6));
  const ChatRenderer own = [](std::span<const ChatMessage> messages,
                              bool answer_next) -> Result<std::string> {
    std::string text;
    for (const ChatMessage& message : messages) {
      text += "[" + message.role + "]" + message.content + ";";
    }
    return text + (answer_next ? "[assistant]" : "");
  };
  const auto source =
      open_samples(instruct(path), 400, {.tokenizer = nullptr, .digest = {}, .chat = own}, {});
  ASSERT_TRUE(source.ok());
  const Learnt one = learnt(**source, Split::kTrain).front();
  EXPECT_THAT(one.text, testing::StartsWith("[user]add one to "));
  EXPECT_THAT(one.answer, testing::MatchesRegex("it is [0-9]*;"));
  DataConfig alpaca = instruct(path);
  alpaca.prompt = PromptKind::kAlpaca;
  const auto named =
      open_samples(alpaca, 400, {.tokenizer = nullptr, .digest = {}, .chat = own}, {});
  EXPECT_THAT(learnt(**named, Split::kTrain).front().text, HasSubstr("### Response:"));
}

TEST_F(Samples, ATemplateThatRewritesEarlierTurnsIsRefused) {
  const ChatRenderer shy = [](std::span<const ChatMessage> messages, bool) -> Result<std::string> {
    return std::to_string(messages.size()) + messages.back().content;
  };
  const auto source = open_samples(instruct(write("a.jsonl", instruct_lines(3))), 99,
                                   {.tokenizer = nullptr, .digest = {}, .chat = shy}, {});
  ASSERT_FALSE(source.ok());
  EXPECT_EQ(source.error().kind, ErrorKind::kData);
  EXPECT_THAT(source.error().text(), HasSubstr("the answer cannot be told"));
}

TEST_F(Samples, LongSamplesAreCutAndThoseWithoutAnAnswerDropped) {
  std::string text = instruct_lines(10);
  text += R"({"instruction": ")" + std::string(500, 'q') +
          R"(", "output": "gone"})"
          "\n";
  text += R"({"instruction": "long", "output": ")" + std::string(500, 'a') +
          R"("})"
          "\n";
  text += R"({"instruction": "nothing", "output": ""})"
          "\n";
  const auto source = open_samples(instruct(write("a.jsonl", text)), 300, {}, {});
  ASSERT_TRUE(source.ok()) << source.error().text();
  const CorpusInfo& info = (*source)->info();
  EXPECT_EQ(info.cut_samples, 1);
  EXPECT_EQ(info.dropped_samples, 2);
  EXPECT_EQ(info.train_samples + info.heldout_samples, 11);
  EXPECT_THAT(left_out_note(info), HasSubstr("1 of 11 samples"));
  for (const Split split : {Split::kTrain, Split::kHeldout}) {
    for (const Learnt& one : learnt(**source, split)) {
      EXPECT_LE(one.text.size(), 300u);
      EXPECT_FALSE(one.answer.empty());
    }
  }
}

TEST_F(Samples, ASamplesPartDependsOnItselfAlone) {
  const auto parts = [&](const std::string& text) {
    const auto source = open_samples(instruct(write("a.jsonl", text)), 400, {}, {});
    std::set<std::string> held;
    for (const Learnt& one : learnt(**source, Split::kHeldout)) {
      held.insert(one.answer);
    }
    return held;
  };
  const std::set<std::string> few = parts(instruct_lines(30));
  const std::set<std::string> more = parts(instruct_lines(60));
  EXPECT_TRUE(std::includes(more.begin(), more.end(), few.begin(), few.end()));
  EXPECT_EQ(parts(instruct_lines(30) + instruct_lines(30)), few) << "equal samples go together";
}

TEST_F(Samples, MaxBytesTakesSomeOfTheSamples) {
  DataConfig config = instruct(write("a.jsonl", instruct_lines(60)));
  config.max_bytes = 500;
  const auto source = open_samples(config, 400, {}, {});
  ASSERT_TRUE(source.ok());
  EXPECT_LE((*source)->info().text_bytes, 500);
  EXPECT_GT((*source)->info().train_samples, 5);
}

TEST_F(Samples, TheCorpusOwnVocabularyIsTrainedOnThem) {
  DataConfig config = instruct(write("a.jsonl", instruct_lines(60)));
  config.tokenizer = TokenizerKind::kBpe;
  config.vocab_size = 400;
  const auto source = open_corpus(config, 400, {}, {});
  ASSERT_TRUE(source.ok()) << source.error().text();
  EXPECT_EQ((*source)->info().vocab_size, 400);
  const auto bytes = open_corpus(instruct(config.path), 400, {}, {});
  EXPECT_LT((*source)->info().train_tokens, (*bytes)->info().train_tokens / 2);
}

TEST_F(Samples, WrongFilesAreRefusedByPlaceAndField) {
  const std::vector<std::array<std::string, 2>> wrong{
      {"{\"instruction\": \"a\"}", "a.jsonl:2 has no text \"output\""},
      {"{\"instruction\": 3, \"output\": \"b\"}", "but a JSON number"},
      {"{\"instruction\": \"a\", \"input\": [], \"output\": \"b\"}", "\"input\", but a JSON array"},
      {"{\"prompt\": \"a\", \"completion\": \"b\"}", "no text \"response\""},
      {"{\"messages\": []}", "data.kind=chat"},
      {"[1]", "not an object"},
      {"{\"instruction\": \"a\", \"output\": \"\\ud800\"}", "a.jsonl:2 is not valid JSON"},
      {std::string(100000, '['), "a.jsonl:2 nests JSON deeper than"},
      {"{\"instruction\": \"" + std::string(kLongestSample, 'x') + "\", \"output\": \"b\"}",
       "bytes of text"}};
  for (const auto& [line, told] : wrong) {
    const std::string path = write("a.jsonl", instruct_lines(1) + line + "\n");
    const auto source = open_samples(instruct(path), 400, {}, {});
    ASSERT_FALSE(source.ok()) << line.substr(0, 80);
    EXPECT_EQ(source.error().kind, ErrorKind::kData);
    EXPECT_THAT(source.error().text(), HasSubstr(told));
  }
}

TEST_F(Samples, WrongConversationsAreRefused) {
  Json many{{"messages", Json::array()}};
  for (std::size_t i = 0; i <= kMostMessages; ++i) {
    many["messages"].push_back({{"role", "user"}, {"content", "x"}});
  }
  const std::vector<std::array<std::string, 2>> wrong{
      {"{\"messages\": {}}", "no list \"messages\""},
      {"{\"messages\": [7]}", "a message that is no object"},
      {"{\"messages\": [{\"role\": \"user\"}]}", "no text \"content\""},
      {"{\"messages\": [{\"role\": \"root\", \"content\": \"x\"}]}", "role \"root\""},
      {"{\"instruction\": \"a\", \"output\": \"b\"}", "data.kind=instruct"},
      {many.dump(), "513 messages"}};
  for (const auto& [line, told] : wrong) {
    const auto source = open_samples(chat(write("a.jsonl", line + "\n")), 400, {}, {});
    ASSERT_FALSE(source.ok()) << line.substr(0, 80);
    EXPECT_THAT(source.error().text(), HasSubstr(told));
  }
}

TEST_F(Samples, WhatCannotBeTrainedOnIsToldBeforehand) {
  const auto one = open_samples(instruct(write("a.jsonl", instruct_lines(1))), 400, {}, {});
  ASSERT_FALSE(one.ok());
  EXPECT_THAT(one.error().text(), HasSubstr("one of each is needed"));
  EXPECT_TRUE(open_samples(instruct(write("a.jsonl", instruct_lines(2))), 400, {}, {}).ok());
  DataConfig wrong = chat(write("a.jsonl", "{}"));
  wrong.prompt = PromptKind::kAlpaca;
  EXPECT_EQ(open_samples(wrong, 400, {}, {}).error().kind, ErrorKind::kUsage);
  EXPECT_EQ(open_samples(instruct(DataConfig{}.path), 400, {}, {}).error().kind, ErrorKind::kUsage);
  EXPECT_EQ(open_samples(instruct((folder_ / "none").string()), 400, {}, {}).error().kind,
            ErrorKind::kData);
}

TEST(CodeSample, TargetsAreTheNextTokensOfAnswersAndTheirEnd) {
  const TextCoder coder = make_coder(std::make_shared<const Tokenizer>(Tokenizer::bytes()));
  const RenderedSample plain{.parts = {{"ab", false}, {"cd", true}}, .has_marks = false};
  const CodedSample coded = code_sample(plain, coder);
  EXPECT_THAT(coded.ids, ElementsAre('a', 'b', 'c', 'd'));
  EXPECT_THAT(coded.targets, ElementsAre(-1, 'c', 'd', kEndMark));
}

TEST(CodeSample, AnAnswerThatIsAZeroByteIsStillLearnt) {
  const TextCoder coder = make_coder(std::make_shared<const Tokenizer>(Tokenizer::bytes()));
  const RenderedSample plain{.parts = {{"a", false}, {std::string(1, '\0'), true}},
                             .has_marks = false};
  EXPECT_THAT(code_sample(plain, coder).targets, ElementsAre(0, kEndMark));
}

TEST(CodeSample, NothingIsLearntOfNothing) {
  const TextCoder coder = make_coder(std::make_shared<const Tokenizer>(Tokenizer::bytes()));
  EXPECT_TRUE(code_sample({}, coder).ids.empty());
  EXPECT_FALSE(code_sample({.parts = {{"q", false}, {"", true}}}, coder).has_targets());
}

}  // namespace
}  // namespace lathe
