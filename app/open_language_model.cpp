// See open_language_model.h.
#include "app/open_language_model.h"

#include "app/export_source.h"
#include "engine/lm/installed_models.h"
#include "engine/tokenizer/corpus_tokenizer.h"

namespace lathe::app {
namespace {

ModelText text_of(const ExportSource& source) {
  if (source.text_of) {
    return read_model_text(*source.text_of);
  }
  ModelText text;
  if (source.corpus != nullptr && source.corpus->tokenizer() != nullptr) {
    const Tokenizer* own = source.corpus->tokenizer();
    text.tokenizer = as_text_tokenizer(std::shared_ptr<const Tokenizer>(source.corpus, own));
  } else {
    text.problem = source.text_problem;
  }
  return text;
}

}  // namespace

Result<LanguageModel> open_language_model(Backend& backend, const std::string& model,
                                          const GlobalOptions& options,
                                          std::optional<double> int8_threshold) {
  if (const std::filesystem::path path = find_model(model); !path.empty()) {
    return LanguageModel::open(backend, path, WeightForm::kAsStored, int8_threshold);
  }
  if (int8_threshold) {
    return Error{ErrorKind::kUsage,
                 "products in integers are of a file's matrices of int8_row, and " + model +
                     " is a run, which is opened as floats",
                 "leave --int8-products away, or export it and round it by lathe compress"};
  }
  auto source = open_export_source(model, options);
  if (!source) {
    return source.error();
  }
  if (source->file.config().images()) {
    return Error{ErrorKind::kUsage,
                 source->name + " classifies images, and a model of text is wanted",
                 "`lathe show` has its eval/acc, and `lathe export --format hf` writes it"};
  }
  return LanguageModel::open(backend, std::move(source->file), source->plans, text_of(*source));
}

}  // namespace lathe::app
