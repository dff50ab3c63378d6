// A data set of rows as it comes from a stranger; the first byte chooses what its name ends with.
#include <array>

#include "engine/data/row_file.h"
#include "engine/data/sample.h"
#include "engine/data/sentiment_set.h"
#include "tests/fuzz/input_file.h"
#include "tests/fuzz/use_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lathe;
  static const std::array<fuzz::InputFile, 3> inputs{
      fuzz::InputFile("rows.jsonl"), fuzz::InputFile("rows.json"), fuzz::InputFile("rows.csv")};
  if (size == 0) {
    return 0;
  }
  const std::string path = inputs[data[0] % inputs.size()].fill(data + 1, size - 1).string();
  if (const auto set = read_sentiment_set(path, SentimentLabels::kAuto)) {
    for (const SentimentRow& row : set->rows) {
      CHECK(row.label < set->labels.size(), "a row's label is one of its set's");
      bare_text(row.text);
    }
  }
  const auto rows = read_rows(path);
  if (!rows) {
    return 0;
  }
  for (const DataRow& row : *rows) {
    for (const DataKind kind : {DataKind::kInstruct, DataKind::kChat}) {
      if (const auto sample = read_sample(row, kind)) {
        CHECK(text_bytes(*sample) >= 0, "a sample has a size");
        hash_of(*sample, 1);
      }
    }
    const auto index = index_field(row, "label", 4);
    CHECK(!index || (*index >= 0 && *index < 4), "an index is within its bound");
    static_cast<void>(text_field(row, "text"));
  }
  return 0;
}
