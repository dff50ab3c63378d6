// A language model opened from a file: its weights on a back end, its tokenizer, and the facts that
// tell it from another. The one door through which models that exist come in.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/io/model_file.h"
#include "engine/nn/transformer.h"
#include "engine/tokenizer/text_tokenizer.h"

namespace lathe {

// kAsStored: matrices stay in the file's types, mapped where they lie as they are needed, or copied
// to a device that does not read there; for inference. kFloats: all weights become f32 in memory,
// ready to be trained.
enum class WeightForm : std::uint8_t { kAsStored, kFloats };

struct ModelIdentity {
  std::string format;        // "gguf q4_1", "hf f16"
  std::string architecture;  // "llama, 30 layers, width 576, 9 heads (3 kv)"
  std::int64_t parameters = 0;
  std::int64_t stored_bytes = 0;
  double bits_per_weight = 0;
  double open_secs = 0;
  // SHA-256 over names, types, shapes and samples of every weight's bytes: equal for equal models
  // wherever they lie, told without reading gigabytes.
  std::string hash;
};

// What an opened file knows of its text.
struct ModelText {
  std::unique_ptr<TextTokenizer> tokenizer;
  std::string problem;        // why there is none
  std::string digest;         // SHA-256 of all that makes the tokenizer
  std::string chat_template;  // Jinja source
};
ModelText read_model_text(const ModelFile& file);

// kUsage for a model of images.
Result<void> check_reads_text(const ModelFile& file);

class LanguageModel {
 public:
  // kData, naming the file and what is wrong. With a threshold, which is of kAsStored alone, slots
  // of int8_row are multiplied in integers (Int8MatmulArgs); kUsage where there are none, and of a
  // model of images. Throws OutOfMemory.
  static Result<LanguageModel> open(Backend& backend, const std::filesystem::path& path,
                                    WeightForm form, std::optional<double> int8_threshold = {});
  // The same of a file that is open already.
  static Result<LanguageModel> open(Backend& backend, ModelFile file, WeightForm form,
                                    std::optional<double> int8_threshold = {});
  // A checkpoint, which knows neither its slots nor its text: as floats.
  static Result<LanguageModel> open(Backend& backend, ModelFile file,
                                    const std::vector<LinearPlan>& plans, ModelText text);

  const ModelFile& file() const { return file_; }
  const ModelConfig& config() const { return file_.config(); }
  const ModelIdentity& identity() const { return identity_; }
  Transformer& transformer() { return *transformer_; }
  // nullptr where the file brings none, or one that cannot be read: tokenizer_problem() says which.
  const TextTokenizer* tokenizer() const { return tokenizer_.get(); }
  const std::string& tokenizer_problem() const { return tokenizer_problem_; }
  // Jinja source; empty where the model brings none.
  const std::string& chat_template() const { return chat_template_; }

 private:
  explicit LanguageModel(ModelFile file) : file_(std::move(file)) {}
  static LanguageModel build(Backend& backend, ModelFile file, const std::vector<LinearPlan>& plans,
                             TableMemory tables, ModelText text);

  ModelFile file_;
  ModelIdentity identity_;
  std::unique_ptr<Transformer> transformer_;
  std::unique_ptr<TextTokenizer> tokenizer_;
  std::string tokenizer_problem_;
  std::string chat_template_;
};

// "llama, 30 layers, width 576, 9 heads (3 kv)".
std::string architecture_text(const std::string& name, const ModelConfig& config);
std::string model_hash(const ModelFile& file);

// The slots of a model whose matrices stay as they are stored; f32 ones stay dense.
std::vector<LinearPlan> stored_plan(const ModelFile& file);

// Whether some of the slots' matrices are int8_row.
bool has_int8_rows(const ModelFile& file);

// Fills every parameter; those that are given theirs get the stored form. On meta these alone take
// their memory. Adapters are left alone, and so is the head of a model of images that is built for
// another number of classes. Precondition: the transformer was built from file.config() otherwise.
void load_weights(Backend& backend, const ModelFile& file, Transformer& transformer);

}  // namespace lathe
