// The text side of an export: tokenizer and chat template, carried over where source and target are
// of one format, else written anew; and the proof that what was written reads a text alike.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "engine/io/gguf.h"
#include "engine/lm/language_model.h"
#include "engine/lm/model_export.h"
#include "engine/tokenizer/gguf_vocabulary.h"

namespace lathe {

struct ExportText {
  const ModelFile* source = nullptr;         // whose tokenizer it is; null: a corpus' own, or none
  std::optional<GgufVocabulary> vocabulary;  // none: cannot be carried
  std::string chat_template;
  std::string fate;  // what became of it, for the report
};

// Never fails: what cannot be carried is said in `fate`.
ExportText export_text(const ModelFile& source, const ExportRequest& request);

// The keys tokenizer.*.
void set_tokenizer(const ExportText& text, GgufWriter& writer);
// The tokenizer files of a folder. kDisk.
Result<void> write_tokenizer(const ExportText& text, std::int64_t context,
                             const std::filesystem::path& folder);

// kMismatch where the tokenizer that was written gives other ids for a text of all sorts of
// characters than the one it was made of.
Result<void> prove_tokenizer(const ExportText& text, const ExportRequest& request,
                             const LanguageModel& written);

}  // namespace lathe
