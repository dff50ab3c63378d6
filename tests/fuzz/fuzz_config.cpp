// config.json of a Hugging Face folder as it comes from a stranger.
#include "engine/io/factored_slots.h"
#include "engine/io/hf_folder.h"
#include "tests/fuzz/use_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lathe;
  const auto json = parse_json(fuzz::text_of(data, size), "config.json");
  if (json && json->is_object()) {
    if (const auto types = block_types_of(*json)) {
      for (const auto& [name, type] : *types) {
        CHECK(info_of(type).block_elements > 1, "a block type");
      }
    }
    if (const auto config = model_config_of(*json, "config.json")) {
      fuzz::use_config(*config);
      for (const NameScheme scheme : {NameScheme::kHfLlama, NameScheme::kHfGpt2}) {
        if (const auto slots = factored_plan(*json, *config, scheme, "config.json")) {
          fuzz::use_slots(*slots);
        }
      }
    }
  }
  return 0;
}
