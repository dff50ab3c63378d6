// lathe inspect FILE: what is in a model of any format, a safetensors file, a checkpoint folder or
// a store, without loading it.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <fstream>

#include "app/cli.h"
#include "app/quant_report.h"
#include "app/render.h"
#include "app/table.h"
#include "app/verb_list.h"
#include "engine/base/format.h"
#include "engine/io/model_file.h"
#include "engine/io/safetensors.h"
#include "engine/lm/adapter_model.h"
#include "engine/lm/language_model.h"

namespace lathe::app {
namespace {

namespace fs = std::filesystem;

Result<void> inspect_tensors(const fs::path& path, bool json) {
  const auto file = SafetensorsFile::open(path);
  if (!file) {
    return file.error();
  }
  Json tensors = Json::array();
  std::vector<std::vector<std::string>> rows;
  std::size_t all_bytes = 0;
  for (const SafetensorsEntry& entry : file->entries()) {
    const std::size_t bytes = entry.end - entry.begin;
    all_bytes += bytes;
    rows.push_back({entry.name, entry.dtype, fmt::format("[{}]", fmt::join(entry.shape, ", ")),
                    bytes_text(static_cast<std::int64_t>(bytes))});
    tensors.push_back(
        {{"name", entry.name}, {"dtype", entry.dtype}, {"shape", entry.shape}, {"bytes", bytes}});
  }
  if (json) {
    print_json(Json{{"file", path.string()}, {"metadata", file->metadata()}, {"tensors", tensors}},
               2);
    return {};
  }
  for (const auto& [key, value] : file->metadata()) {
    fmt::print("{}: {}\n", key, value);
  }
  fmt::print("{}\n{} tensors, {}\n",
             table_text({{"tensor"}, {"type"}, {"shape"}, {"size", true}}, rows), rows.size(),
             bytes_text(static_cast<std::int64_t>(all_bytes)));
  return {};
}

Result<void> inspect_model(const fs::path& path, bool json) {
  const auto file = open_model_at(path);
  if (!file) {
    return file.error();
  }
  Json tensors = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const ModelTensor& tensor : file->tensors()) {
    const std::string type(info_of(tensor.stored.type).name);
    rows.push_back({tensor.name, type, fmt::format("[{}]", fmt::join(tensor.shape, ", ")),
                    bytes_text(tensor.stored_bytes())});
    tensors.push_back({{"name", tensor.name},
                       {"dtype", type},
                       {"shape", tensor.shape},
                       {"bytes", tensor.stored_bytes()}});
  }
  const ModelText text = read_model_text(*file);
  const std::string tokenizer = text.tokenizer != nullptr ? text.tokenizer->description()
                                : text.problem.empty()    ? "none"
                                                          : text.problem;
  const std::string format(model_format_name(file->format()));
  const std::string architecture = architecture_text(file->architecture(), file->config());
  const double bits =
      8.0 * static_cast<double>(file->stored_bytes()) / static_cast<double>(file->parameters());
  if (json) {
    print_json(Json{{"file", path.string()},
                    {"format", format},
                    {"architecture", architecture},
                    {"model", to_json(file->config())},
                    {"parameters", file->parameters()},
                    {"stored_bytes", file->stored_bytes()},
                    {"bits_per_weight", bits},
                    {"tokenizer", tokenizer},
                    {"chat_template", !text.chat_template.empty()},
                    {"hash", model_hash(*file)},
                    {"tensors", tensors}},
               2);
    return {};
  }
  fmt::print("{}: {}\ntokenizer: {}\nchat template: {}\nhash: {}\n", format, architecture,
             tokenizer, text.chat_template.empty() ? "none" : "yes", model_hash(*file));
  fmt::print("{}\n{} tensors, {} parameters, {}, {:.2f} bits per weight\n",
             table_text({{"tensor"}, {"type"}, {"shape"}, {"size", true}}, rows), rows.size(),
             file->parameters(), bytes_text(file->stored_bytes()), bits);
  return {};
}

Result<void> inspect_store(const std::string& path, bool json) {
  const auto catalog = storage::open_catalog(path);
  if (!catalog) {
    return catalog.error();
  }
  const auto runs = (*catalog)->runs(true);
  if (!runs) {
    return runs.error();
  }
  const auto sweeps = (*catalog)->sweeps();
  if (!sweeps) {
    return sweeps.error();
  }
  if (json) {
    print_json(Json{{"file", path}, {"runs", runs->size()}, {"sweeps", sweeps->size()}}, 2);
  } else {
    fmt::print("a store of {} runs and {} sweeps\n{}", runs->size(), sweeps->size(),
               runs_table(*runs));
  }
  return {};
}

bool is_store(const fs::path& path) {
  constexpr std::string_view kMagic = "SQLite format 3";
  std::string start(kMagic.size(), '\0');
  std::ifstream in(path, std::ios::binary);
  in.read(start.data(), static_cast<std::streamsize>(start.size()));
  return in.good() && start == kMagic;
}

int inspect(const GlobalOptions& options, const std::string& name, const std::string& quant) {
  fs::path path = name;
  if (fs::exists(path / "config.json") || path.extension() == ".gguf") {
    const Result<void> shown =
        quant.empty() ? inspect_model(path, options.json) : report_quant(path, quant, options.json);
    return shown ? 0 : report_error(shown.error(), options);
  }
  if (!quant.empty()) {
    return report_error({ErrorKind::kUsage, name + " is no model that could be rounded (--quant)",
                         "name a .gguf file or the folder of a model"},
                        options);
  }
  if (fs::is_directory(path) && fs::exists(path / "weights.safetensors")) {
    path /= "weights.safetensors";
  }
  if (!fs::is_regular_file(path)) {
    return report_error(
        {ErrorKind::kData, fmt::format("there is no file {}", path.string()),
         "name a .gguf or .safetensors file, a model's or checkpoint's folder, or a store"},
        options);
  }
  const Result<void> shown = is_store(path) ? inspect_store(path.string(), options.json)
                                            : inspect_tensors(path, options.json);
  return shown ? 0 : report_error(shown.error(), options);
}

}  // namespace

void add_inspect(CLI::App& root, Cli& cli) {
  const auto file = std::make_shared<std::string>();
  const auto quant = std::make_shared<std::string>();
  CLI::App* verb = add_verb(root, cli, "inspect", "What is in a model, a checkpoint or a store",
                            [&cli, file, quant] { return inspect(cli.options, *file, *quant); });
  verb->add_option("file", *file,
                   "a .gguf or .safetensors file, the folder of a model or a checkpoint, a store")
      ->required();
  verb->add_option("--quant", *quant,
                   "of a model: what rounding its layers to this type would lose (nf4, int4_g64 "
                   "...; all: a line to each)");
}

}  // namespace lathe::app
