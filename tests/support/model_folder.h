// A folder for models of a test, and whole models in it.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "engine/tokenizer/byte_alphabet.h"
#include "tests/support/model_files.h"

namespace lathe::test {

// tokenizer.json of a tokenizer whose ids are the bytes, then ChatML's two marks.
inline Json byte_tokenizer_json() {
  Json vocabulary = Json::object();
  for (int byte = 0; byte < 256; ++byte) {
    vocabulary[byte_symbol(static_cast<unsigned char>(byte))] = byte;
  }
  return {{"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", Json::array()}}},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
          {"added_tokens",
           {{{"id", 256}, {"content", "<|im_start|>"}, {"special", true}},
            {{"id", 257}, {"content", "<|im_end|>"}, {"special", true}}}}};
}

// A folder that goes away with the test.
class ModelFolder {
 public:
  explicit ModelFolder(const std::string& name)
      : path_(std::filesystem::temp_directory_path() /
              ("lathe_model_" + std::to_string(getpid()) + "_" + name)) {
    std::filesystem::create_directories(path_);
  }
  ~ModelFolder() { std::filesystem::remove_all(path_); }
  ModelFolder(const ModelFolder&) = delete;
  ModelFolder& operator=(const ModelFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
  }
  // A whole model in Hugging Face's form: config, weights, tokenizer, ChatML as its template.
  void write_llama(const ModelConfig& model, const Values& values) const {
    write("config.json", llama_json(model).dump());
    write("tokenizer.json", byte_tokenizer_json().dump());
    write("tokenizer_config.json",
          Json{{"eos_token", "<|im_end|>"},
               {"chat_template",
                "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + "
                "'<|im_end|>\n' }}{% endfor %}"
                "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"}}
              .dump());
    write_safetensors(path_ / "model.safetensors",
                      stored_form(model, NameScheme::kHfLlama, values));
  }

 private:
  std::filesystem::path path_;
};

}  // namespace lathe::test
