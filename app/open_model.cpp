// See open_model.h.
#include "app/open_model.h"

#include <algorithm>
#include <optional>

#include "app/run_model.h"
#include "engine/lm/chat.h"
#include "engine/lm/installed_models.h"
#include "engine/lm/language_model.h"
#include "experiments/device.h"
#include "experiments/predict.h"

namespace lathe::app {
namespace {

namespace fs = std::filesystem;

// Tokens of one forward pass, also where a model was trained for more.
constexpr std::int64_t kMostContext = 8192;

// Everything an opened model points into.
struct FileModel {
  std::unique_ptr<Backend> backend;
  std::optional<LanguageModel> model;
  std::unique_ptr<TextEncoder> encoder;
};

std::vector<std::int32_t> encode(const FileModel& opened, std::string_view text, bool special) {
  const SpecialTokens& marks = opened.model->tokenizer()->special();
  std::vector<std::int32_t> ids;
  if (special && marks.add_bos && marks.bos >= 0) {
    ids.push_back(marks.bos);
  }
  opened.encoder->encode(text, false, ids);
  return ids;
}

Json facts_of(const LanguageModel& model, const fs::path& path) {
  const ModelIdentity& identity = model.identity();
  return {{"name", path.stem().string()},
          {"format", identity.format},
          {"path", fs::absolute(path).string()},
          {"architecture", identity.architecture},
          {"parameters", identity.parameters},
          {"stored_bytes", identity.stored_bytes},
          {"bits_per_weight", identity.bits_per_weight},
          {"hash", identity.hash}};
}

// How it reads and writes. Precondition: it has a tokenizer.
void set_text(FileModel& opened, EvalModel& model) {
  const TextTokenizer& tokenizer = *opened.model->tokenizer();
  const SpecialTokens& marks = tokenizer.special();
  opened.encoder = tokenizer.encoder();
  model.prefix_id = marks.bos >= 0 ? marks.bos : std::max(0, marks.eos);
  model.encode = [&opened](std::string_view text, bool special) {
    return encode(opened, text, special);
  };
  if (!opened.model->chat_template().empty()) {
    // A template that cannot be read is an error of whoever asks for a conversation.
    model.encode_chat = [&opened, &tokenizer](std::span<const ChatMessage> messages) {
      const auto chat = chat_renderer(opened.model->chat_template(), tokenizer);
      return chat ? encode_chat(tokenizer, *chat, messages) : chat.error();
    };
  }
  model.decode = [&tokenizer](std::span<const std::int32_t> ids) { return tokenizer.decode(ids); };
  if (marks.eos >= 0) {
    model.end_ids.push_back(marks.eos);
  }
}

}  // namespace

Result<experiments::OpenedModel> open_model_file(const fs::path& path, const GlobalOptions& options,
                                                 TextUse text,
                                                 std::optional<double> int8_threshold) {
  const auto device = experiments::resolve_device(options.device);
  if (!device) {
    return device.error();
  }
  auto backend = make_backend(*device, options.threads);
  if (!backend) {
    return backend.error();
  }
  const auto opened = std::make_shared<FileModel>();
  opened->backend = std::move(*backend);
  auto model = LanguageModel::open(*opened->backend, path,
                                   int8_threshold ? WeightForm::kAsStored : WeightForm::kFloats,
                                   int8_threshold);
  if (!model) {
    return model.error();
  }
  if (model->tokenizer() == nullptr && text == TextUse::kNeeded) {
    return Error{ErrorKind::kData,
                 path.string() + " has no tokenizer: " + model->tokenizer_problem(),
                 "an evaluation reads text; put the model's tokenizer.json beside it"};
  }
  opened->model = std::move(*model);
  const std::int64_t context = opened->model->config().context;
  experiments::OpenedModel out;
  out.model.backend = opened->backend.get();
  out.model.transformer = &opened->model->transformer();
  out.model.config = opened->model->config();
  out.model.vocab_size = opened->model->config().vocab_size;
  out.model.context = context > 0 ? std::min(context, kMostContext) : kMostContext;
  if (opened->model->tokenizer() != nullptr) {
    set_text(*opened, out.model);
  }
  out.facts = facts_of(*opened->model, path);
  out.keeper = opened;
  return out;
}

Result<experiments::OpenedModel> open_model(storage::RunCatalog& catalog, const std::string& model,
                                            const GlobalOptions& options,
                                            std::optional<double> int8_threshold) {
  if (const fs::path path = find_model(model); !path.empty()) {
    return open_model_file(path, options, TextUse::kNeeded, int8_threshold);
  }
  if (model.find('/') != std::string::npos || model.ends_with(".gguf")) {
    return Error{
        ErrorKind::kData, "there is no model at " + model,
        "name a .gguf file, a folder with config.json, an installed model or a run; `lathe "
        "ls models` lists the last two"};
  }
  if (int8_threshold) {
    return Error{ErrorKind::kUsage,
                 "int8_products is of a file's matrices of int8_row; the run " + model +
                     " multiplies as its own train.int8_products says",
                 "leave int8_products off, or name a file or folder"};
  }
  return open_run_model(catalog, model, options);
}

}  // namespace lathe::app
