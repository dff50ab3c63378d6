// Sets of sentiment as what a model is trained on: FinGPT's prompt, the label alone, mixtures, and
// texts that are kept for measuring.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "engine/data/joint_encoding.h"
#include "engine/data/sample_source.h"
#include "engine/data/sentiment_set.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class SentimentSamples : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              ("sentiment_" + std::to_string(getpid()) + "_" +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return (folder_ / name).string();
  }
  static DataConfig config(const std::string& path) {
    DataConfig config;
    config.kind = DataKind::kSentiment;
    config.path = path;
    config.tokenizer = TokenizerKind::kByte;
    config.heldout = 0.2;
    return config;
  }
  // Of each sample of a part: what the model reads, and what it is to write.
  static std::vector<std::pair<std::string, std::string>> learnt(const DataConfig& config,
                                                                 Split split) {
    const auto source = open_corpus(config, 400, {}, {});
    EXPECT_TRUE(source.ok()) << source.error().text();
    std::vector<std::pair<std::string, std::string>> all;
    const SampleStream stream = (*source)->samples(split);
    for (std::size_t i = 0; i + 1 < stream.begins.size(); ++i) {
      const auto begin = static_cast<std::size_t>(stream.begins[i]);
      const auto count = static_cast<std::size_t>(stream.begins[i + 1]) - begin;
      std::string answer;
      for (const std::int32_t target : stream.targets.subspan(begin, count)) {
        answer += target < 0 ? "" : target == kEndMark ? "|" : std::string(1, char(target));
      }
      all.emplace_back((*source)->decode((*source)->tokens(split).subspan(begin, count)), answer);
    }
    return all;
  }
  static std::string error_of(const DataConfig& config) {
    const auto source = open_corpus(config, 400, {}, {});
    EXPECT_FALSE(source.ok());
    return source ? "" : source.error().text();
  }

  fs::path folder_;
};

std::string tweets(int count) {
  std::string text = "text,label\n";
  for (int i = 0; i < count; ++i) {
    text += "\"$A" + std::to_string(i) + " moves, https://t.co/" + std::to_string(7 * i) + "\"," +
            std::to_string(i % 3) + "\n";
  }
  return text;
}

TEST_F(SentimentSamples, TheLabelAloneIsLearntBehindFingptsPrompt) {
  const DataConfig set = config(write("t.csv", tweets(60)));
  std::map<std::string, int> labels;
  for (const Split split : {Split::kTrain, Split::kHeldout}) {
    for (const auto& [text, answer] : learnt(set, split)) {
      EXPECT_THAT(text, testing::StartsWith("Instruction: What is the sentiment of this tweet? "
                                            "Please choose an answer from "
                                            "{negative/neutral/positive}.\nInput: $A"));
      // The space behind the colon belongs to the label, as it does when the label is scored.
      EXPECT_THAT(text, HasSubstr("\nAnswer:" + answer.substr(0, answer.size() - 1)));
      ++labels[answer];
      const int number = std::stoi(text.substr(text.find("$A") + 2)) % 3;
      EXPECT_EQ(answer, number == 0 ? " negative|" : number == 1 ? " positive|" : " neutral|");
    }
  }
  EXPECT_THAT(labels, ElementsAre(testing::Pair(" negative|", 20), testing::Pair(" neutral|", 20),
                                  testing::Pair(" positive|", 20)));
}

TEST_F(SentimentSamples, NumbersMeanWhatIsSaid) {
  DataConfig set = config(write("t.csv", "text,label\na,1\nb,2\nc,0\nd,1\n"));
  set.labels = SentimentLabels::kFpb;
  for (const auto& [text, answer] : learnt(set, Split::kTrain)) {
    EXPECT_THAT(text, HasSubstr("of this news?"));
    if (text.find("Input: a") != std::string::npos) {
      EXPECT_EQ(answer, " neutral|");
    }
  }
}

TEST_F(SentimentSamples, TextsOfTheTestAreLeftOutWhateverTheirLinkAndCase) {
  DataConfig set = config(write("t.csv", tweets(60)));
  set.without = {write("test.jsonl",
                       "{\"context\":\"Instruction: What?\\nInput: $a5 MOVES https://t.co/zzz\\n"
                       "Answer: \",\"target\":\"negative\"}\n")};
  const auto source = open_corpus(set, 400, {}, {});
  ASSERT_TRUE(source.ok()) << source.error().text();
  const CorpusInfo& info = (*source)->info();
  EXPECT_EQ(info.without_samples, 1);
  EXPECT_EQ(info.train_samples + info.heldout_samples, 59);
  EXPECT_THAT(left_out_note(info), HasSubstr("1 samples are left out"));
  for (const Split split : {Split::kTrain, Split::kHeldout}) {
    for (const auto& [text, unused] : learnt(set, split)) {
      EXPECT_EQ(text.find("$A5 "), std::string::npos);
    }
  }
  set.without = {write("other.csv", "text,label\nnothing alike,1\n")};
  EXPECT_EQ((*open_corpus(set, 400, {}, {}))->info().without_samples, 0);
  set.kind = DataKind::kInstruct;
  EXPECT_THAT(error_of(set), HasSubstr("data.without compares sets of sentiment"));
}

TEST_F(SentimentSamples, BareTextsHaveNoCaseLinksOrMarks) {
  EXPECT_EQ(bare_text("$ALLY - Ally pulls  outlook https://t.co/G9 !"), "ally ally pulls outlook");
  EXPECT_EQ(bare_text("M\u00e4ntt\u00e4 r\u00f6se"), "m\u00e4ntt\u00e4 r\u00f6se");
  EXPECT_EQ(bare_text("https://t.co/G9"), "https://t.co/G9");
  EXPECT_EQ(bare_text(""), "");
}

// FinGPT's mixture takes a small set many times.
TEST_F(SentimentSamples, AMixtureCountsItsFilesAsOftenAsItSays) {
  const std::string news = write("n.txt", "Profit rose .@positive\nNothing is new .@neutral\n");
  const std::string scores = write("f.json",
                                   R"([{"sentence":"up it goes","sentiment_score":0.5},
                                       {"sentence":"down","sentiment_score":-0.5}])");
  DataConfig set = config(news + "*3," + scores + "," + write("t.csv", tweets(10)) + "*2");
  const auto train = learnt(set, Split::kTrain);
  const auto heldout = learnt(set, Split::kHeldout);
  std::map<std::string, int> times;
  for (const auto& [text, unused] : train) {
    ++times[text];
  }
  for (const auto& [text, unused] : heldout) {
    EXPECT_EQ(times.count(text), 0u) << "copies are on one side";
  }
  EXPECT_EQ(times.size() + heldout.size(), 14u) << "held out, each is there once";
  for (const auto& [text, count] : times) {
    const bool of_news = text.find(" .\n") != std::string::npos;
    EXPECT_EQ(count, of_news ? 3 : text.find("tweet") != std::string::npos ? 2 : 1) << text;
  }
  for (const char* repeats : {"*0", "*-1", "*x", "*", "*1001"}) {
    set.path = news + repeats;
    EXPECT_THAT(error_of(set), HasSubstr("repeats are no number from 1 to 1000")) << repeats;
  }
}

TEST_F(SentimentSamples, FilesThatAreNoSetAreRefusedByName) {
  const std::vector<std::pair<std::string, std::string>> files{
      {"label.csv", "text,label\na,1\nb,7\n"},
      {"word.jsonl", "{\"text\":\"a\",\"label\":\"bullish\"}\n"},
      {"column.csv", "title,label\na,1\n"},
      {"unlabelled.csv", "text,other\na,1\n"},
      {"header.csv", "text,label\n"},
      {"empty.jsonl", ""},
      {"torn.json", "[{\"sentence\": \"a\", "},
      {"score.json", "[{\"sentence\":\"a\",\"sentiment_score\":\"nan\"}]"},
      {"lines.txt", "no label here\n"},
      {"target.jsonl", "{\"context\":\"c\"}\n"}};
  for (const auto& [name, text] : files) {
    EXPECT_THAT(error_of(config(write(name, text))), HasSubstr(name)) << name;
  }
  EXPECT_THAT(error_of(config("python-stdlib")), HasSubstr("holds running text"));
  EXPECT_THAT(error_of(config("")), HasSubstr("data.path is empty"));
  DataConfig set = config(write("t.csv", tweets(10)));
  set.without = {(folder_ / "none.csv").string()};
  EXPECT_THAT(error_of(set), HasSubstr("none.csv"));
}

// A tokenizer that begins every text with a mark of its own, as SentencePiece does.
TEST(JointEncoding, TheAnswersTokensAreThoseOfTheWhole) {
  const EncodeText encode = [](std::string_view text) {
    std::vector<std::int32_t> ids{'_'};
    ids.insert(ids.end(), text.begin(), text.end());
    return ids;
  };
  const JointIds joint = encode_jointly("q: ", "a", encode);
  EXPECT_THAT(joint.ids, ElementsAre('_', 'q', ':', ' ', 'a'));
  EXPECT_EQ(joint.first, 3u);
  EXPECT_EQ(encode_jointly(" \n", "a", encode).first, 0u);
}

}  // namespace
}  // namespace lathe
