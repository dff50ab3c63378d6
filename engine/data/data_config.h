// Where text comes from and how it becomes tokens; where images come from.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/describe.h"

namespace lathe {

enum class TokenizerKind : std::uint8_t { kByte, kBpe };
template <>
struct EnumNames<TokenizerKind> {
  static constexpr std::array<std::string_view, 2> names{"byte", "bpe"};
};

// What a corpus is made of.
enum class DataKind : std::uint8_t { kText, kInstruct, kChat, kSentiment, kImages };
template <>
struct EnumNames<DataKind> {
  static constexpr std::array<std::string_view, 5> names{"text", "instruct", "chat", "sentiment",
                                                         "images"};
};

// How a sample is put before the model.
enum class PromptKind : std::uint8_t { kAuto, kAlpaca, kChatml };
template <>
struct EnumNames<PromptKind> {
  static constexpr std::array<std::string_view, 3> names{"auto", "alpaca", "chatml"};
};

// What numbers in a set of sentiment mean; labels that are words need no rule.
//   fpb   Financial PhraseBank: 0 negative, 1 neutral, 2 positive
//   tfns  Twitter financial news: 0 negative, 1 positive, 2 neutral
//   fiqa  a score: below -0.1 negative, from 0.1 on positive, else neutral
//   auto  by the first row: a "sentiment_score" is fiqa's, a "sentence" fpb's, a "text" tfns'
enum class SentimentLabels : std::uint8_t { kAuto, kFpb, kTfns, kFiqa };
template <>
struct EnumNames<SentimentLabels> {
  static constexpr std::array<std::string_view, 4> names{"auto", "fpb", "tfns", "fiqa"};
};

struct DataConfig {
  DataKind kind = DataKind::kText;
  std::string path = "python-stdlib";
  std::vector<std::string> extensions = {".py", ".txt", ".md"};
  TokenizerKind tokenizer = TokenizerKind::kBpe;
  std::int64_t vocab_size = 2048;
  double heldout = 0.1;
  std::int64_t max_bytes = 0;
  PromptKind prompt = PromptKind::kAuto;
  SentimentLabels labels = SentimentLabels::kAuto;
  std::vector<std::string> without = {};
  std::int64_t examples = 0;
  std::int64_t split_seed = 0;
  double pixel_mean = 0.0;
  double pixel_std = 0.0;

  static constexpr auto fields() {
    using C = DataConfig;
    return std::tuple{
        field("kind", &C::kind,
              {.structural = true,
               .help =
                   "text: running text; instruct: JSON or JSON lines of instruction, input and "
                   "output (or prompt and response); chat: JSON lines of messages; sentiment: the "
                   "finance sets with FinGPT's prompt, of which the label is the answer. Of these "
                   "three the answers alone are learnt, and several samples share a row. images: "
                   "pictures and their classes, for a model with model.image.size; what is said of "
                   "text and tokenizers is not used then"}),
        field("path", &C::path,
              {.structural = true,
               .help =
                   "a folder or a file of text; python-stdlib means the sources of the "
                   "installed Python standard library. Of kind sentiment: several, separated by "
                   "commas, each as often as *N behind it says. Of kind images: a folder of IDX "
                   "files (MNIST's), of CIFAR's binary files, or of a folder of PNG and JPEG files "
                   "for each class; fashion-mnist means the installed package's"}),
        field("extensions", &C::extensions,
              {.structural = true, .help = "file name endings taken from a folder"}),
        field("tokenizer", &C::tokenizer,
              {.sweep = true,
               .structural = true,
               .help = "byte: 256 bytes and one end mark; bpe: byte-pair encoding trained on the "
                       "training part of the corpus itself"}),
        field("vocab_size", &C::vocab_size,
              {.lo = 260,
               .hi = 262144,
               .log = true,
               .sweep = true,
               .structural = true,
               .unit = "tokens",
               .help = "size of the trained BPE vocabulary"}),
        field("heldout", &C::heldout,
              {.lo = 0.001,
               .hi = 0.9,
               .structural = true,
               .help =
                   "share of the files held out for evaluation, chosen by a hash of each path; "
                   "of samples, by a hash of each; of images that have no test part of their own, "
                   "by data.split_seed"}),
        field("max_bytes", &C::max_bytes,
              {.lo = 0,
               .hi = 1e13,
               .structural = true,
               .unit = "bytes",
               .help = "use about this much text at most (files or samples in order of their "
                       "hash); 0 means all"}),
        field("prompt", &C::prompt,
              {.structural = true,
               .help = "how samples are put before the model: alpaca's prompts, chatml, or auto: "
                       "the model's own chat template where it has one, else alpaca for instruct "
                       "and chatml for chat"}),
        field("labels", &C::labels,
              {.structural = true,
               .help = "what the numbers of a sentiment set mean; auto goes by its fields' names"}),
        field("without", &C::without,
              {.structural = true,
               .help = "sentiment: sets whose texts are left out wherever they occur, compared by "
                       "letters and digits without links; empty: that of eval.data, where it is a "
                       "set of sentiment"}),
        field("examples", &C::examples,
              {.lo = 0,
               .hi = 1e9,
               .log = true,
               .sweep = true,
               .structural = true,
               .help = "images to train on, as many of each class as can be, chosen by "
                       "data.split_seed; 0 means all"}),
        field("split_seed", &C::split_seed,
              {.lo = 0,
               .hi = 9e15,
               .sweep = true,
               .structural = true,
               .help = "decides which images data.examples and data.heldout choose"}),
        field("pixel_mean", &C::pixel_mean,
              {.lo = 0,
               .hi = 1,
               .structural = true,
               .help = "taken from pixels, which are in [0, 1], where data.pixel_std is set"}),
        field("pixel_std", &C::pixel_std,
              {.lo = 0,
               .hi = 10,
               .structural = true,
               .help = "pixels are divided by it then; 0 means mean and deviation of each channel "
                       "of the training images"})};
  }
};
static_assert(complete<DataConfig>());

}  // namespace lathe
