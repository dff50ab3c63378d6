// Chat templates: whole ones and single rules give what Jinja itself gives, what is not known
// is named with its line, and no template crashes or outlasts its bounds.
#include "engine/tokenizer/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

namespace lathe {
namespace {

using nlohmann::json;
using testing::HasSubstr;

std::string read_file(const std::string& name) {
  std::ifstream file(std::string(LATHE_GOLDEN) + "/" + name, std::ios::binary);
  EXPECT_TRUE(file) << name;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

const json& goldens() {
  static const json loaded = json::parse(read_file("chat.json"));
  return loaded;
}

std::vector<ChatMessage> conversation(const std::string& name) {
  std::vector<ChatMessage> messages;
  for (const json& turn : goldens()["conversations"][name]) {
    messages.push_back({.role = turn["role"], .content = turn["content"]});
  }
  return messages;
}

Result<std::string> render(const std::string& source, const std::vector<ChatMessage>& messages,
                           bool add_generation_prompt = true) {
  const Result<ChatTemplate> parsed = ChatTemplate::parse(source);
  if (!parsed) {
    return parsed.error();
  }
  return parsed->render(messages, {.add_generation_prompt = add_generation_prompt,
                                   .bos_token = goldens()["tokens"]["bos_token"],
                                   .eos_token = goldens()["tokens"]["eos_token"]});
}

// The error's text; empty where the template renders.
std::string failure(const std::string& source) {
  const Result<std::string> text = render(source, conversation("several_turns"));
  return text ? "" : text.error().text();
}

// Compares with what Jinja gave: the text, the refusal with its words, or a failure of any wording.
void expect_as_golden(const json& golden, const Result<std::string>& text) {
  if (golden.contains("text")) {
    ASSERT_TRUE(text) << text.error().text();
    EXPECT_EQ(*text, golden["text"].get<std::string>());
    return;
  }
  ASSERT_FALSE(text) << "gave " << *text << " where Jinja fails with " << golden;
  EXPECT_THAT(text.error().message, HasSubstr("the model's chat template, line "));
  if (golden.contains("refused")) {
    EXPECT_EQ(text.error().kind, ErrorKind::kUsage);
    EXPECT_THAT(text.error().message, HasSubstr(golden["refused"].get<std::string>()));
  } else {
    EXPECT_EQ(text.error().kind, ErrorKind::kData);
  }
}

TEST(ChatTemplate, WholeTemplatesGiveWhatJinjaGives) {
  std::size_t rendered = 0;
  for (const json& golden : goldens()["cases"]) {
    const std::string name = golden["template"];
    SCOPED_TRACE(name + " of " + golden["conversation"].get<std::string>());
    expect_as_golden(golden, render(read_file("chat/" + name), conversation(golden["conversation"]),
                                    golden["add_generation_prompt"]));
    rendered += golden.contains("text") ? 1 : 0;
  }
  EXPECT_GT(rendered, 90U);
}

TEST(ChatTemplate, EachRuleOfTheLanguageIsThatOfJinja) {
  for (const json& golden : goldens()["snippets"]) {
    const std::string source = golden["source"];
    SCOPED_TRACE(source);
    expect_as_golden(golden, render(source, conversation("several_turns")));
  }
}

TEST(ChatTemplate, NamesWhatIsNotKnownWithItsLine) {
  EXPECT_THAT(failure("a\n{% if true %}\n{{ 'b'|title }}{% endif %}"),
              HasSubstr("line 3: the filter 'title' is not known here"));
  EXPECT_THAT(failure("\n\n{{ 1 is divisibleby(2) }}"),
              HasSubstr("line 3: the test 'divisibleby' is not known here"));
  EXPECT_THAT(failure("{{ 'a'.title() }}"), HasSubstr("the method 'title' is not known here"));
  EXPECT_THAT(failure("{{ strftime_now('%d') }}"),
              HasSubstr("the function 'strftime_now' is not known here"));
  EXPECT_THAT(failure("\n{% macro f() %}{% endmacro %}"),
              HasSubstr("line 2: the statement 'macro' is not known here"));
  EXPECT_THAT(failure("{{ messages|tojson(indent=4) }}"),
              HasSubstr("the argument 'indent' of 'tojson' is not known here"));
  EXPECT_THAT(failure("{% set x %}a{% endset %}"), HasSubstr("'endset'"));
  EXPECT_THAT(failure("{{ 2 * 3 }}"), HasSubstr("the operator '*' is not known here"));
  EXPECT_THAT(failure("{{ {'a': 1} }}"), HasSubstr("the mapping '{...}'"));
  EXPECT_THAT(failure("{{ 1.5 }}"), HasSubstr("the number '1.5' is not known here"));
  EXPECT_THAT(failure("{{ '\\N{BULLET}' }}"), HasSubstr("the escape '\\N{BULLET}'"));
  EXPECT_THAT(failure("{{ messages }}"), HasSubstr("writing a list as text is not known here"));
  EXPECT_THAT(failure("{{ 'é'|upper }}"), HasSubstr("outside ASCII"));
  EXPECT_THAT(failure("{{ messages[0].items }}"), HasSubstr("the method 'items' as a value"));
  EXPECT_THAT(failure("{{ range }}"), HasSubstr("the function 'range' as a value"));
}

TEST(ChatTemplate, WhatIsNotReachedMayBeUnknown) {
  EXPECT_EQ(failure("{% if tools %}{{ tools|map('x')|join(y=1) }}{{ f(1) }}{% endif %}"), "");
}

TEST(ChatTemplate, ARefusalsWordsCarryNoControlCharacters) {
  const std::string text = failure("{{ raise_exception('a\\x1b[2Jb\\nc' ~ 'x') }}");
  EXPECT_THAT(text, HasSubstr("it refuses the messages: a [2Jb cx"));
}

std::string repeated(const std::string& part, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) {
    out += part;
  }
  return out;
}

TEST(ChatTemplate, NestingIsBounded) {
  constexpr std::size_t kDeep = 20'000;
  for (const char* part : {"(", "[", "- ", "not ", "{{", "a[", "a(", "1 + ", "1 if ", "a|f(",
                           "a if b else ", "a.b", "a is b "}) {
    EXPECT_NE(failure("{{ " + repeated(part, kDeep) + "1 }}"), "") << part;
  }
  EXPECT_NE(failure("{{ a" + repeated(".b", kDeep) + " }}"), "");
  EXPECT_NE(failure("{{ a" + repeated("|trim", kDeep) + " }}"), "");
  EXPECT_NE(failure("{{ a" + repeated("[0]", kDeep) + " }}"), "");
  for (const char* tag : {"{% if a %}", "{% for a in b %}", "{% if a %}{% else %}"}) {
    EXPECT_NE(failure(repeated(tag, kDeep / 2)), "") << tag;
  }
  EXPECT_THAT(failure("{% set ns = namespace(a=[]) %}" + repeated("{% set ns.a = [ns.a] %}", 100)),
              HasSubstr("nests lists more than"));
  EXPECT_NE(failure("{% for a in messages %}" + repeated("{% set a = [a, a] %}", 40) +
                    "{{ a == a }}{{ a|tojson }}{% endfor %}"),
            "");
}

// Each pass of the outer loop over `n` and so on: n to the power of the loops' number.
std::string loops(std::size_t count, const std::string& body) {
  std::string out = "{% set n = 'aaaaaaaaaaaaaaaaaaaa' %}";
  for (std::size_t i = 0; i < count; ++i) {
    out += "{% for x in n %}";
  }
  return out + body + repeated("{% endfor %}", count);
}

TEST(ChatTemplate, WorkMemoryAndOutputAreBounded) {
  EXPECT_THAT(failure(loops(12, "")), HasSubstr("steps, the most allowed"));
  EXPECT_THAT(failure(loops(3, std::string(20'000, 'a'))), HasSubstr("it writes more than 16 MiB"));
  const std::string grow = "{% set ns = namespace(s='ab', l=['x']) %}";
  EXPECT_THAT(failure(grow + loops(2, "{% set ns.s = ns.s + ns.s %}")), HasSubstr("MiB of text"));
  EXPECT_THAT(failure(grow + loops(2, "{% set ns.l = ns.l + ns.l %}")), HasSubstr("MiB of text"));
  EXPECT_THAT(failure(grow + repeated("{% set ns.s = ns.s + ns.s %}", 20) +
                      loops(4, "{{ (ns.s + 'c') in ns.s }}")),
              HasSubstr("MiB of text"));
  EXPECT_THAT(failure(grow + repeated("{% set ns.s = ns.s + ns.s %}", 20) +
                      loops(4, "{{ ns.s[-1] }}{{ ns.s|length }}{{ ns.s.split('b')|length }}")),
              HasSubstr("MiB of text"));
  EXPECT_THAT(failure(std::string(1U << 20U, ' ')), HasSubstr("bytes; the most is"));
  EXPECT_THAT(failure("{{ " + std::string(1000, 'a') + " }}"), HasSubstr("a name is longer"));
  EXPECT_THAT(failure("{{ 9223372036854775807 + 1 }}"), HasSubstr("does not fit"));
  EXPECT_THAT(failure("{{ -(-9223372036854775807 - 1) }}"), HasSubstr("does not fit"));
  EXPECT_EQ(failure("{{ (-9223372036854775807 - 1) % -1 }}{{ 'abc'[-9223372036854775807 - 1:"
                    "9223372036854775807:9223372036854775807] }}{{ 'abc'[::-9223372036854775807]"
                    " }}{{ 'a'[-9223372036854775807] }}"),
            "");
}

TEST(ChatTemplate, ANamespaceMayHoldItself) {
  EXPECT_EQ(failure("{% set ns = namespace() %}{% set ns.a = ns %}{{ ns.a.a == ns }}"), "");
  EXPECT_NE(failure("{% set ns = namespace() %}{% set ns.a = ns %}{{ ns|tojson }}"), "");
}

TEST(ChatTemplate, BrokenTextIsCarriedThrough) {
  const std::string broken = "a\xFF\xC3(\xE2\x82";
  const std::vector<ChatMessage> messages{{.role = "user", .content = broken}};
  const Result<std::string> text =
      render("{{ messages[0].content|trim }}{{ messages[0].content|length }}", messages);
  ASSERT_TRUE(text) << text.error().text();
  EXPECT_EQ(*text, broken + "6");
  EXPECT_TRUE(render("{{ messages|tojson }}", messages));
}

// Cuts, doubles, swaps and overwrites pieces of a template.
std::string mutated(std::string text, std::mt19937& random) {
  static const std::vector<std::string> kPieces{
      "{%",   "%}",     "{{",          "}}",     "-",
      "'",    "\"",     "\\",          "[",      "]",
      "(",    ")",      ":",           "|",      ".",
      "in",   "not",    "is",          "if",     "else",
      "loop", "ns",     "messages",    "0",      "9223372036854775807",
      "\n",   "\xFF",   "{#",          "#}",     ",",
      "=",    "endfor", "{% endif %}", "[::-1]", "|tojson",
      "~",    "%"};
  const std::size_t changes = 1 + random() % 4;
  for (std::size_t i = 0; i < changes && !text.empty(); ++i) {
    const std::size_t at = random() % text.size();
    const std::size_t length = random() % 12;
    const std::string& piece = kPieces[random() % kPieces.size()];
    switch (random() % 4) {
      case 0:
        text.erase(at, length);
        break;
      case 1:
        text.insert(at, piece);
        break;
      case 2:
        text.replace(at, length, piece);
        break;
      default:
        text.insert(random() % text.size(), text.substr(at, 4 * length));
        break;
    }
  }
  return text;
}

TEST(ChatTemplate, MutatedTemplatesNeverCrash) {
  constexpr std::uint32_t kSeed = 20240607;
  constexpr int kRounds = 60;
  std::mt19937 random(kSeed);
  const std::vector<ChatMessage> messages = conversation("thinking");
  std::vector<std::string> sources;
  for (const json& golden : goldens()["snippets"]) {
    sources.push_back(golden["source"]);
  }
  for (const json& golden : goldens()["cases"]) {
    if (golden["conversation"] == "question" && golden["add_generation_prompt"] == true) {
      sources.push_back(read_file("chat/" + golden["template"].get<std::string>()));
    }
  }
  std::size_t rendered = 0;
  for (int round = 0; round < kRounds; ++round) {
    for (const std::string& source : sources) {
      const Result<std::string> text = render(mutated(source, random), messages);
      rendered += text ? 1 : 0;
      EXPECT_TRUE(text || !text.error().message.empty());
    }
  }
  EXPECT_GT(rendered, sources.size());
}

}  // namespace
}  // namespace lathe
