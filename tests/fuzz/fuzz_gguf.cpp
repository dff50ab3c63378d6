// A GGUF file as it comes from a stranger: the container, then all that opening a model makes of
// it.
#include "engine/io/gguf_config.h"
#include "engine/io/model_file.h"
#include "engine/lm/model_vocabulary.h"
#include "tests/fuzz/input_file.h"
#include "tests/fuzz/use_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lathe;
  static const fuzz::InputFile input("model.gguf");
  const std::filesystem::path& path = input.fill(data, size);
  const auto file = GgufFile::open(path);
  if (!file) {
    return 0;
  }
  for (const GgufTensor& tensor : file->tensors()) {
    fuzz::touch(file->data(tensor));
  }
  if (auto tokenizer = make_tokenizer(stored_vocabulary(*file, "model.gguf"))) {
    fuzz::use_tokenizer(**tokenizer);
  }
  if (const auto* chat = file->get<std::string>("tokenizer.chat_template")) {
    fuzz::use_chat_template(*chat);
  }
  if (const auto config = model_config_of(*file, "model.gguf")) {
    fuzz::use_config(*config);
  }
  const auto model = ModelFile::open(path);
  if (!model) {
    return 0;
  }
  for (const ModelTensor& tensor : model->tensors()) {
    std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
    read_tensor(tensor, values.data());
    fuzz::touch(std::as_bytes(std::span(values.data(), values.size())));
    if (has_stored_rows(tensor)) {
      std::vector<std::byte> rows(static_cast<std::size_t>(tensor.stored_bytes()));
      copy_stored_rows(tensor, rows.data());
    }
  }
  return 0;
}
