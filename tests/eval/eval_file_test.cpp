// Readers of data sets: their schemas, their prompts, and files that lie.
#include "engine/data/row_file.h"

#include <gmock/gmock.h>

#include "engine/eval/choice_sets.h"
#include "engine/eval/sentiment.h"
#include "tests/eval/eval_folder.h"

namespace lathe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class EvalFile : public test::EvalFolder {};

TEST_F(EvalFile, ReadsJsonLinesArraysAndCsv) {
  const auto lines = read_rows(write("a.jsonl", "\xef\xbb\xbf{\"a\": 1}\r\n\n {\"a\": 2}"));
  ASSERT_TRUE(lines.ok()) << lines.error().text();
  ASSERT_EQ(lines->size(), 2u);
  EXPECT_EQ((*lines)[1].value["a"], 2);
  EXPECT_EQ((*lines)[1].place, "a.jsonl:3");
  const auto array = read_rows(write("a.json", "[{\"a\": 1}, {\"a\": 2}]"));
  ASSERT_TRUE(array.ok());
  EXPECT_EQ((*array)[1].place, "a.json item 2");
  const auto csv =
      read_rows(write("a.csv", "text,label\r\n\"one, \"\"two\"\"\nthree\",1\n\nplain \"q\",0"));
  ASSERT_TRUE(csv.ok()) << csv.error().text();
  ASSERT_EQ(csv->size(), 2u);
  EXPECT_EQ((*csv)[0].value["text"], "one, \"two\"\nthree");
  EXPECT_EQ((*csv)[1].value["text"], "plain \"q\"");
  EXPECT_EQ((*csv)[1].place, "a.csv:5");
}

TEST_F(EvalFile, RefusesWhatIsNoSet) {
  const std::vector<std::pair<std::string, std::string>> files{
      {"empty.jsonl", ""},
      {"blank.jsonl", "\n \n"},
      {"number.jsonl", "{\"a\": 1}\n7\n"},
      {"torn.jsonl", "{\"a\": 1}\n{\"a\": \n"},
      {"object.json", "{\"a\": 1}"},
      {"bytes.jsonl", "{\"a\": \"\xff\xfe\"}"},
      {"nul.jsonl", std::string("\0\0\0\0", 4)},
      {"quote.csv", "a,b\n\"never closed,1\n"},
      {"fields.csv", "a,b\n1\n"},
      {"header.csv", "a,b\n"},
      {"deep.jsonl", std::string(1'000'000, '[')},
      {"nested.jsonl", std::string(100'000, '[') + std::string(100'000, ']')},
      {"objects.jsonl",
       "{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}\n5"}};
  for (const auto& [name, text] : files) {
    const auto rows = read_rows(write(name, text));
    ASSERT_FALSE(rows.ok()) << name;
    EXPECT_EQ(rows.error().kind, ErrorKind::kData) << name;
    EXPECT_THAT(rows.error().message, HasSubstr(name.substr(0, name.find('.')))) << name;
  }
  EXPECT_THAT(read_rows((folder_ / "none.jsonl").string()).error().text(),
              HasSubstr("cannot read"));
  EXPECT_THAT(read_rows(folder_.string()).error().text(), HasSubstr("cannot read"));
  EXPECT_THAT(read_rows("/dev/zero").error().text(), HasSubstr("cannot read"));
}

TEST_F(EvalFile, PiqaTakesItsLabelsFromTheFileBeside) {
  const std::string path = write("valid.jsonl",
                                 "{\"goal\":\"g1\",\"sol1\":\"a\",\"sol2\":\"b \"}\n"
                                 "{\"goal\":\"g2\",\"sol1\":\"c\",\"sol2\":\"d\"}\n");
  EXPECT_THAT(read_piqa(path, "").error().text(), HasSubstr("valid-labels.lst"));
  write("valid-labels.lst", "1\n0\n");
  const auto items = read_piqa(path, "");
  ASSERT_TRUE(items.ok()) << items.error().text();
  EXPECT_EQ((*items)[0].gold, 1u);
  EXPECT_EQ((*items)[0].choices[1].context, "Question: g1\nAnswer:");
  EXPECT_EQ((*items)[0].choices[1].continuation, " b ");
  EXPECT_EQ((*items)[0].choices[1].text, "b ");
  EXPECT_EQ((*items)[1].gold, 0u);
  EXPECT_THAT(read_piqa(path, write("other.lst", "1\n")).error().text(),
              HasSubstr("1 labels for 2 items"));
  EXPECT_THAT(read_piqa(path, write("wrong.lst", "1\n2\n")).error().text(),
              HasSubstr("valid.jsonl:2"));
}

TEST_F(EvalFile, HellaSwagInBothShapes) {
  const auto items = read_hellaswag(write(
      "h.jsonl",
      "{\"activity_label\":\"Baking\",\"ctx_a\":\"A man bakes [x] bread.\",\"ctx_b\":\"he THEN\","
      "\"endings\":[\"eats.\",\" sits [title] down.\"],\"label\":\"1\"}\n"
      "{\"ctx\":\"Baking: A man. he\",\"endings\":[\"a\",\"b\"],\"label\":0}\n"));
  ASSERT_TRUE(items.ok()) << items.error().text();
  EXPECT_EQ((*items)[0].choices[0].context, "Baking: A man bakes bread. He then");
  EXPECT_EQ((*items)[0].choices[1].continuation, " sits. down.");
  EXPECT_EQ((*items)[0].gold, 1u);
  EXPECT_EQ((*items)[1].choices[0].context, "Baking: A man. he");
}

TEST_F(EvalFile, WinoGrandeSharesTheEnding) {
  const auto items =
      read_winogrande(write("w.jsonl",
                            "{\"sentence\":\"Sarah met Maria so _  won. \",\"option1\":\"Sarah\","
                            "\"option2\":\"Maria\",\"answer\":\"2\"}\n"));
  ASSERT_TRUE(items.ok()) << items.error().text();
  EXPECT_EQ((*items)[0].gold, 1u);
  EXPECT_EQ((*items)[0].choices[0].context, "Sarah met Maria so Sarah");
  EXPECT_EQ((*items)[0].choices[1].context, "Sarah met Maria so Maria");
  EXPECT_EQ((*items)[0].choices[0].continuation, " won.");
  EXPECT_EQ((*items)[0].choices[1].continuation, " won.");
}

TEST_F(EvalFile, ArcInItsThreeShapes) {
  const auto items = read_arc(
      write("arc.jsonl",
            "{\"question\":{\"stem\":\"S?\",\"choices\":[{\"text\":\"x\",\"label\":\"A\"},"
            "{\"text\":\"y\",\"label\":\"B\"}]},\"answerKey\":\"B\"}\n"
            "{\"question\":\"S?\",\"choices\":{\"text\":[\"x\",\"y\"],\"label\":[\"1\",\"2\"]},"
            "\"answerKey\":\"1\"}\n"
            "{\"query\":\"Question: S?\",\"choices\":[\"x\",\"y\"],\"gold\":1}\n"));
  ASSERT_TRUE(items.ok()) << items.error().text();
  EXPECT_EQ((*items)[0].gold, 1u);
  EXPECT_EQ((*items)[1].gold, 0u);
  EXPECT_EQ((*items)[2].gold, 1u);
  for (const ChoiceItem& item : *items) {
    EXPECT_EQ(item.choices[0].context, "Question: S?\nAnswer:");
    EXPECT_EQ(item.choices[0].continuation, " x");
  }
}

TEST_F(EvalFile, BoolQAsksNoOrYes) {
  const auto items =
      read_boolq(write("b.jsonl",
                       "{\"passage\":\"P.\",\"question\":\"is it\",\"answer\":true}\n"
                       "{\"passage\":\"P.\",\"question\":\"is it\",\"label\":0}\n"));
  ASSERT_TRUE(items.ok()) << items.error().text();
  EXPECT_EQ((*items)[0].choices[0].context, "P.\nQuestion: is it?\nAnswer:");
  EXPECT_EQ((*items)[0].choices[0].continuation, " no");
  EXPECT_EQ((*items)[0].choices[1].continuation, " yes");
  EXPECT_EQ((*items)[0].gold, 1u);
  EXPECT_EQ((*items)[1].gold, 0u);
}

using Reader = Result<std::vector<ChoiceItem>> (*)(const std::string&);

TEST_F(EvalFile, RowsThatDoNotFitTheirSetAreNamed) {
  const std::vector<std::pair<Reader, std::string>> rows{
      {read_hellaswag, R"({"ctx":"c","endings":["a","b"],"label":2})"},
      {read_hellaswag, R"({"ctx":"c","endings":["a","b"],"label":""})"},
      {read_hellaswag, R"({"ctx":"c","endings":["a","b"],"label":18446744073709551615})"},
      {read_hellaswag, R"({"ctx":"c","endings":["a"],"label":0})"},
      {read_hellaswag, R"({"ctx":"c","endings":{"a":1},"label":0})"},
      {read_hellaswag, R"({"ctx":7,"endings":["a","b"],"label":0})"},
      {read_hellaswag, R"({"ctx_a":"c","endings":["a","b"],"label":0})"},
      {read_winogrande, R"({"sentence":"none","option1":"a","option2":"b","answer":"1"})"},
      {read_winogrande, R"({"sentence":"a _ b","option1":"a","option2":"b","answer":"3"})"},
      {read_winogrande, R"({"sentence":"a _ b","option1":"a","answer":"1"})"},
      {read_arc, R"({"question":{"stem":"S","choices":[{"text":"x"}]},"answerKey":"A"})"},
      {read_arc, R"({"question":"S","choices":{"text":["x","y"],"label":["A"]},"answerKey":"B"})"},
      {read_arc, R"({"question":["S"],"choices":[],"answerKey":"B"})"},
      {read_arc, R"({"query":"S","choices":["x","y"],"gold":-1})"},
      {read_boolq, R"({"passage":"p","question":"q"})"},
      {read_boolq, R"({"passage":"p","question":"q","answer":"true"})"}};
  for (const auto& [read, row] : rows) {
    const auto items = read(write("set.jsonl", "\n" + row + "\n"));
    ASSERT_FALSE(items.ok()) << row;
    EXPECT_EQ(items.error().kind, ErrorKind::kData) << row;
    EXPECT_THAT(items.error().text(), HasSubstr("set.jsonl:2")) << row;
  }
}

TEST_F(EvalFile, NumbersMeanWhatTheirSetSays) {
  const std::string csv = write("t.csv", "text,label\na,0\nb,1\nc,2\n");
  const auto gold = [](const Result<LabelledSet>& set) {
    std::vector<std::string> names;
    for (const ChoiceItem& item : set->items) {
      names.push_back(set->labels[item.gold]);
    }
    return names;
  };
  EXPECT_THAT(gold(read_sentiment(csv, SentimentLabels::kFpb)),
              ElementsAre("negative", "neutral", "positive"));
  EXPECT_THAT(gold(read_sentiment(csv, SentimentLabels::kTfns)),
              ElementsAre("negative", "positive", "neutral"));
  // By the fields: published TFNS has "text", published FPB "sentence".
  EXPECT_THAT(gold(read_sentiment(csv, SentimentLabels::kAuto)),
              ElementsAre("negative", "positive", "neutral"));
  const std::string fpb = write("p.csv", "sentence,label\na,0\nb,1\nc,2\n");
  EXPECT_THAT(gold(read_sentiment(fpb, SentimentLabels::kAuto)),
              ElementsAre("negative", "neutral", "positive"));
  const std::string scores =
      write("f.json", R"([{"sentence":"a","sentiment_score":-0.1001,"format":"post"},
                    {"sentence":"b","sentiment_score":-0.1},{"sentence":"c","sentiment_score":"0.1"}])");
  const auto fiqa = read_sentiment(scores, SentimentLabels::kAuto);
  ASSERT_TRUE(fiqa.ok()) << fiqa.error().text();
  EXPECT_THAT(gold(fiqa), ElementsAre("negative", "neutral", "positive"));
  EXPECT_THAT(fiqa->items[0].choices[0].context, HasSubstr("of this tweet?"));
  EXPECT_THAT(fiqa->items[1].choices[0].context, HasSubstr("of this news?"));
  EXPECT_FALSE(read_sentiment(write("g.csv", "text,label\na,3\n"), SentimentLabels::kFpb).ok());
  EXPECT_FALSE(read_sentiment(write("g.csv", "text,label\na,nan\n"), SentimentLabels::kFiqa).ok());
}

TEST_F(EvalFile, PhraseBanksOwnLines) {
  const auto set = read_sentiment(write("Sentences_50Agree.txt",
                                        "Sales in M\xe4nts\xe4l\xe4 rose , a@b said .@positive\r\n"
                                        "Nothing happened .@neutral\n"),
                                  SentimentLabels::kAuto);
  ASSERT_TRUE(set.ok()) << set.error().text();
  ASSERT_EQ(set->items.size(), 2u);
  EXPECT_EQ(set->labels[set->items[0].gold], "positive");
  EXPECT_THAT(set->items[0].choices[0].context, HasSubstr("of this news? Please"));
  EXPECT_THAT(set->items[0].choices[0].context,
              HasSubstr("Input: Sales in M\u00e4nts\u00e4l\u00e4 rose , a@b said .\nAnswer: "));
  for (const char* text : {"", "no label here\n", "s@unsure\n"}) {
    EXPECT_FALSE(read_sentiment(write("x.txt", text), SentimentLabels::kAuto).ok()) << text;
  }
}

TEST_F(EvalFile, PromptsBringTheirLabels) {
  const auto set =
      read_sentiment(write("p.jsonl",
                           "{\"context\":\"I: x\\nAnswer: \",\"target\":\"positive\"}\n"
                           "{\"context\":\"I: y\\nAnswer: \",\"target\":\" negative\"}\n"),
                     SentimentLabels::kAuto);
  ASSERT_TRUE(set.ok()) << set.error().text();
  EXPECT_THAT(set->labels, ElementsAre("negative", "positive"));
  EXPECT_EQ(set->items[0].gold, 1u);
  EXPECT_EQ(set->items[1].gold, 0u);
  std::string many;
  for (int i = 0; i < 70; ++i) {
    many += "{\"context\":\"c\",\"target\":\"" + std::to_string(i) + "\"}\n";
  }
  EXPECT_THAT(read_sentiment(write("m.jsonl", many), SentimentLabels::kAuto).error().text(),
              HasSubstr("its answers are no labels"));
}

}  // namespace
}  // namespace lathe
