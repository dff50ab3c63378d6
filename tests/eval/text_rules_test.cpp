// The clean-ups and counts; expected texts are what the Python rules give (tests/peers).
#include "engine/eval/text_rules.h"

#include <gtest/gtest.h>

#include "engine/data/plain_text.h"

namespace lathe {
namespace {

TEST(TextRules, CountsCharactersNotBytes) {
  EXPECT_EQ(character_count("na\u00efve \U0001f600"), 7);
}

TEST(TextRules, CountsWordsAsASplitAtWhiteSpaceDoes) {
  EXPECT_EQ(word_count(""), 1);
  EXPECT_EQ(word_count("one"), 1);
  EXPECT_EQ(word_count(" one  two\n"), 4);
  EXPECT_EQ(word_count("a\u00a0b\u3000c"), 3);
}

TEST(TextRules, Strips) {
  EXPECT_EQ(strip(" \t a b \n\u00a0"), "a b");
  EXPECT_EQ(strip(" \n "), "");
  EXPECT_EQ(strip_right("  a\u00e9 "), "  a\u00e9");
}

TEST(TextRules, CleansHellaSwag) {
  EXPECT_EQ(clean_hellaswag("How to [title] Boil [step] an egg.  [substeps] Now "),
            "How to. Boil an egg.  Now");
  EXPECT_EQ(clean_hellaswag("open [ bracket\n] stays"), "open [ bracket\n] stays");
  EXPECT_EQ(clean_hellaswag("[[x]] y"), "] y");
}

TEST(TextRules, Capitalises) {
  EXPECT_EQ(capitalise("she SAYS Hi"), "She says hi");
  EXPECT_EQ(capitalise(""), "");
}

TEST(TextRules, SplitsWikiTextAtHeadingsOfFirstOrder) {
  const auto pages =
      wikitext_pages(" \n = One = \n \n Text . \n = = Part = = \n More . \n = Two = \n Text . \n");
  ASSERT_EQ(pages.size(), 2u);
  EXPECT_EQ(pages[0], " = One = \n \n Text . \n = = Part = = \n More . ");
  EXPECT_EQ(pages[1], " = Two = \n Text . \n");
  EXPECT_TRUE(wikitext_pages(" \n \n").empty());
}

TEST(TextRules, TurnsWikiTextIntoOrdinaryText) {
  EXPECT_EQ(detokenise_wikitext(" = A = \n The dogs ' 1 @,@ 234 kB ( about 3 @.@ 5 ) , he said : "
                                "\" yes \" ; it 's 20 @-@ odd . \n = = = Sub = = = \n"),
            " = A =\nThe dogs'1,234 kB (about 3.5), he said: \"yes\"; it's 20-odd.\n=== Sub ===\n");
}

// One scan over the text, whatever it holds.
TEST(TextRules, StaysLinearOnHostilePages) {
  const std::string open(2'000'000, '(');
  EXPECT_EQ(detokenise_wikitext(open), open);
  const std::string brackets(2'000'000, '[');
  EXPECT_EQ(clean_hellaswag(brackets).size(), brackets.size());
}

}  // namespace
}  // namespace lathe
