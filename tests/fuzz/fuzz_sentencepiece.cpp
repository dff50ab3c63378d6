// tokenizer.model as it comes from a stranger. What the library itself makes of it counts as ours.
#include "engine/tokenizer/sentencepiece_tokenizer.h"
#include "tests/fuzz/use_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lathe;
  const std::string_view model = fuzz::text_of(data, size);
  if (const auto tokenizer = read_sentencepiece(model, "tokenizer.model")) {
    fuzz::use_tokenizer(**tokenizer);
  }
  if (auto vocabulary = read_sentencepiece_vocabulary(model, "tokenizer.model")) {
    if (const auto tokenizer = make_tokenizer(std::move(*vocabulary))) {
      fuzz::use_tokenizer(**tokenizer);
    }
  }
  return 0;
}
