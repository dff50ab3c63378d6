// Opening a Hugging Face folder.
#include "engine/io/hf_folder.h"

#include <algorithm>
#include <set>

#include "engine/base/mapped_file.h"
#include "engine/quant/stored_matrix.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

constexpr const char* kIndex = "model.safetensors.index.json";
constexpr const char* kSingle = "model.safetensors";
// Rows or columns of a matrix with tables; its bytes are counted in 64 bits.
constexpr std::uint64_t kMostExtent = std::uint64_t{1} << 28;

Error unusable(const fs::path& path, const std::string& what) {
  return {ErrorKind::kData, path.string() + ": " + what,
          "copy the model again from where it came, or use another one"};
}

Result<Json> read_data_json(const fs::path& path) {
  Result<Json> json = read_json_file(path.string());
  if (!json) {
    return unusable(path, json.error().message);
  }
  if (!json->is_object()) {
    return unusable(path, "it is not a JSON object");
  }
  return json;
}

// The shards that an index names, each a plain file name of this very folder.
Result<std::set<std::string>> shards_of(const fs::path& path) {
  const Result<Json> index = read_data_json(path);
  if (!index) {
    return index.error();
  }
  const auto map = index->find("weight_map");
  if (map == index->end() || !map->is_object()) {
    return unusable(path, "it has no weight_map");
  }
  std::set<std::string> names;
  for (const auto& [tensor, shard] : map->items()) {
    const std::string name = shard.is_string() ? shard.get<std::string>() : "";
    if (name.empty() || fs::path(name).filename() != fs::path(name) || name == "..") {
      return unusable(path, "the shard of " + tensor + " is not a file name: " + shard.dump());
    }
    names.insert(name);
  }
  return names;
}

// Bytes as the matrix that config.json says they are.
Result<StoredTensor> stored_with_tables(const SafetensorsEntry& entry, const StoredForm& form,
                                        std::span<const std::byte> bytes) {
  const std::string wrong = entry.dtype == "U8" && entry.shape.size() == 1
                                ? matrix_error(form.type, form.shape[0], form.shape[1], bytes)
                                : "it is not one row of U8";
  if (!wrong.empty()) {
    return Error{ErrorKind::kData, entry.name + ": " + wrong, ""};
  }
  return StoredTensor{.type = form.type, .shape = form.shape, .bytes = bytes, .mapped = true};
}

// Rows of bytes as rows of whole blocks.
Result<StoredTensor> stored_blocks(const SafetensorsEntry& entry, const StoredForm& form,
                                   std::span<const std::byte> bytes) {
  if (has_tables(form.type)) {
    return stored_with_tables(entry, form, bytes);
  }
  const StoredTypeInfo info = info_of(form.type);
  if (entry.dtype != "U8" || entry.shape.size() != 2 || entry.shape[1] % info.block_bytes != 0) {
    return Error{ErrorKind::kData,
                 entry.name + " is not rows of U8 that are whole blocks of " +
                     std::to_string(info.block_bytes) + " bytes (" + std::string(info.name) + ")",
                 ""};
  }
  return StoredTensor{
      .type = form.type,
      .shape = {entry.shape[0], entry.shape[1] / info.block_bytes * info.block_elements},
      .bytes = bytes,
      .mapped = true};
}

// A type's name, or an object with it and the shape. Nothing for what is neither.
std::optional<StoredForm> stored_form(const Json& said) {
  const bool with_shape = said.is_object();
  const Json name = with_shape ? said.value("type", Json()) : said;
  const auto type = stored_type_of_name(name.is_string() ? name.get<std::string>() : "");
  if (!type || info_of(*type).block_elements == 1 || with_shape != has_tables(*type)) {
    return std::nullopt;
  }
  StoredForm form{.type = *type, .shape = {}};
  if (with_shape) {
    for (const Json& extent : said.value("shape", Json::array())) {
      if (!extent.is_number_unsigned() || extent.get<std::uint64_t>() > kMostExtent) {
        return std::nullopt;
      }
      form.shape.push_back(extent.get<std::int64_t>());
    }
    if (form.shape.size() != 2) {
      return std::nullopt;
    }
  }
  return form;
}

}  // namespace

Result<StoredType> stored_type_of_safetensors(const std::string& dtype, const std::string& name) {
  if (dtype == "F32") {
    return StoredType::kF32;
  }
  if (dtype == "F16") {
    return StoredType::kF16;
  }
  if (dtype == "BF16") {
    return StoredType::kBf16;
  }
  return Error{ErrorKind::kData, name + " has the dtype " + dtype + "; F32, F16 and BF16 are read",
               "convert the model to one of those"};
}

Result<std::map<std::string, StoredForm>> stored_forms_of(const Json& config) {
  std::map<std::string, StoredForm> forms;
  const auto listed = config.find("stored_types");
  if (listed == config.end()) {
    return forms;
  }
  if (!listed->is_object()) {
    return Error{ErrorKind::kData, "stored_types is no object", ""};
  }
  for (const auto& [tensor, said] : listed->items()) {
    auto form = stored_form(said);
    if (!form) {
      return Error{ErrorKind::kData,
                   "stored_types says that " + tensor + " is of " + json_text(said) +
                       ", which is no block type, or one with tables and no shape",
                   ""};
    }
    forms[tensor] = std::move(*form);
  }
  return forms;
}

Result<void> HfFolder::add_shard(const fs::path& path, std::map<std::string, FoundTensor>& found) {
  auto file = SafetensorsFile::open(path);
  if (!file) {
    return file.error();
  }
  for (const SafetensorsEntry& entry : file->entries()) {
    if (!found.emplace(entry.name, FoundTensor{entry, file->bytes(entry)}).second) {
      return unusable(path, "tensor " + entry.name + " is in another shard as well");
    }
  }
  shards_.push_back(std::move(*file));
  return {};
}

Result<void> HfFolder::add_tensors(std::map<std::string, FoundTensor>& found) {
  auto matrices = take_bitsandbytes(found);
  if (!matrices) {
    return matrices.error();
  }
  made_ = std::move(*matrices);
  for (const auto& [name, matrix] : made_) {
    tensors_[name] = {
        .type = matrix.type, .shape = {matrix.rows, matrix.cols}, .bytes = matrix.bytes};
  }
  if (!made_.empty()) {  // from bytes that nothing reads again
    for (const SafetensorsFile& shard : shards_) {
      for (const SafetensorsEntry& entry : shard.entries()) {
        let_go_of_pages(shard.bytes(entry));
      }
    }
  }
  for (const auto& [name, tensor] : found) {
    if (const auto form = stored_forms_.find(name); form != stored_forms_.end()) {
      auto stored = stored_blocks(tensor.entry, form->second, tensor.bytes);
      if (!stored) {
        return stored.error();
      }
      tensors_[name] = *stored;
      continue;
    }
    // Masks and tables of other types lie beside the weights of some models; they are no weights.
    const auto type = stored_type_of_safetensors(tensor.entry.dtype, name);
    tensors_[name] = {.type = type ? *type : StoredType::kF32,
                      .shape = type ? tensor.entry.shape : std::vector<std::int64_t>{},
                      .bytes = tensor.bytes,
                      .mapped = true};
  }
  return {};
}

Result<HfFolder> HfFolder::open(const fs::path& folder) {
  HfFolder model;
  Result<Json> config = read_data_json(folder / "config.json");
  if (!config) {
    return config.error();
  }
  model.config_ = std::move(*config);
  auto forms = stored_forms_of(model.config_);
  if (!forms) {
    return unusable(folder / "config.json", forms.error().message);
  }
  model.stored_forms_ = std::move(*forms);
  std::error_code failed;
  std::set<std::string> shards{kSingle};
  if (fs::exists(folder / kIndex, failed)) {
    auto listed = shards_of(folder / kIndex);
    if (!listed) {
      return listed.error();
    }
    shards = std::move(*listed);
  }
  std::map<std::string, FoundTensor> found;
  for (const std::string& shard : shards) {
    if (const Result<void> added = model.add_shard(folder / shard, found); !added) {
      return added.error();
    }
  }
  if (const Result<void> added = model.add_tensors(found); !added) {
    return unusable(folder, added.error().message);
  }
  return model;
}

}  // namespace lathe
