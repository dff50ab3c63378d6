// Models by name: a file or folder, or one that lies in the folder for models.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lathe {

// $XDG_DATA_HOME/lathe/models, where scripts/fetch-model puts what it brings.
std::filesystem::path models_dir();

// Names of models there: folders with a model in them, and .gguf files. Sorted.
std::vector<std::string> installed_models();

// The .gguf file, Hugging Face folder or adapter's folder that a name means: a path, or what lies
// under that name in models_dir(). Empty where it means neither.
std::filesystem::path find_model(const std::string& name);

}  // namespace lathe
