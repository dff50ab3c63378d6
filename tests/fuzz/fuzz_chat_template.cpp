// A chat template as it comes from a stranger: parsed, and run on a conversation.
#include "tests/fuzz/use_model.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  lathe::fuzz::use_chat_template(lathe::fuzz::text_of(data, size));
  return 0;
}
