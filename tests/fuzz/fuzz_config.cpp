// config.json of a Hugging Face folder as it comes from a stranger.
#include "engine/io/hf_folder.h"
#include "tests/fuzz/use_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lathe;
  const auto json = parse_json(fuzz::text_of(data, size), "config.json");
  if (json && json->is_object()) {
    if (const auto config = model_config_of(*json, "config.json")) {
      fuzz::use_config(*config);
    }
  }
  return 0;
}
