// The vocabulary that comes with a model, as its file has it or in the form in which it can go on
// to another format.
#pragma once

#include <filesystem>
#include <string>

#include "engine/io/model_file.h"
#include "engine/tokenizer/portable_vocabulary.h"

namespace lathe {

// The keys tokenizer.ggml.* as they stand there.
GgufVocabulary stored_vocabulary(const GgufFile& file, const std::string& origin);

// kData where the model brings no tokenizer, one that cannot be read, or one that has no such form.
Result<PortableVocabulary> model_vocabulary(const ModelFile& file);

// The bytes of a file; empty where it cannot be read.
std::string file_text(const std::filesystem::path& path);

}  // namespace lathe
