// config.json of a Hugging Face folder as it comes from a stranger.
#include "engine/io/factored_slots.h"
#include "engine/io/hf_folder.h"
#include "tests/fuzz/use_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lathe;
  const auto json = parse_json(fuzz::text_of(data, size), "config.json");
  if (json && json->is_object()) {
    if (const auto forms = stored_forms_of(*json)) {
      for (const auto& [name, form] : *forms) {
        CHECK(info_of(form.type).block_elements > 1 &&
                  form.shape.size() == (has_tables(form.type) ? 2 : 0),
              "a block type, and the shape of one with tables");
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
