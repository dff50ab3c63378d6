// tokenizer.json, and behind a zero byte tokenizer_config.json, as they come from a stranger.
#include "engine/tokenizer/portable_vocabulary.h"
#include "engine/tokenizer/tokenizer_json.h"
#include "tests/fuzz/use_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lathe;
  const std::string_view whole = fuzz::text_of(data, size);
  const std::size_t cut = std::min(whole.find('\0'), whole.size());
  const std::string_view text = whole.substr(0, cut);
  const std::string_view config = whole.substr(std::min(cut + 1, whole.size()));
  if (const auto tokenizer = read_tokenizer_json(text, config, "tokenizer.json")) {
    fuzz::use_tokenizer(**tokenizer);
  }
  if (const auto parts = read_tokenizer_parts(text, config, "tokenizer.json")) {
    if (auto portable = portable_vocabulary(*parts)) {
      const auto again = make_tokenizer(std::move(portable->vocabulary));
      if (again) {
        fuzz::use_tokenizer(**again);
      }
    }
  }
  return 0;
}
