// Opening a Hugging Face folder.
#include "engine/io/hf_folder.h"

#include <algorithm>
#include <set>

namespace lathe {
namespace {

namespace fs = std::filesystem;

constexpr const char* kIndex = "model.safetensors.index.json";
constexpr const char* kSingle = "model.safetensors";

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

// Rows of bytes as rows of whole blocks.
Result<StoredTensor> stored_blocks(const SafetensorsEntry& entry, StoredType type,
                                   std::span<const std::byte> bytes) {
  const StoredTypeInfo info = info_of(type);
  if (entry.dtype != "U8" || entry.shape.size() != 2 || entry.shape[1] % info.block_bytes != 0) {
    return Error{ErrorKind::kData,
                 entry.name + " is not rows of U8 that are whole blocks of " +
                     std::to_string(info.block_bytes) + " bytes (" + std::string(info.name) + ")",
                 ""};
  }
  return StoredTensor{
      .type = type,
      .shape = {entry.shape[0], entry.shape[1] / info.block_bytes * info.block_elements},
      .bytes = bytes};
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

Result<std::map<std::string, StoredType>> block_types_of(const Json& config) {
  std::map<std::string, StoredType> types;
  const auto listed = config.find("stored_types");
  if (listed == config.end()) {
    return types;
  }
  if (!listed->is_object()) {
    return Error{ErrorKind::kData, "stored_types is no object", ""};
  }
  for (const auto& [tensor, name] : listed->items()) {
    const auto type = stored_type_of_name(name.is_string() ? name.get<std::string>() : "");
    if (!type || info_of(*type).block_elements == 1) {
      return Error{ErrorKind::kData,
                   "stored_types says that " + tensor + " is of " + json_text(name) +
                       ", which is no block type",
                   ""};
    }
    types[tensor] = *type;
  }
  return types;
}

Result<void> HfFolder::add_shard(const fs::path& path) {
  auto file = SafetensorsFile::open(path);
  if (!file) {
    return file.error();
  }
  for (const SafetensorsEntry& entry : file->entries()) {
    if (const auto blocks = block_types_.find(entry.name); blocks != block_types_.end()) {
      auto stored = stored_blocks(entry, blocks->second, file->bytes(entry));
      if (!stored) {
        return unusable(path, stored.error().message);
      }
      tensors_[entry.name] = *stored;
      continue;
    }
    // Masks and tables of other types lie beside the weights of some models; they are no weights.
    const auto type = stored_type_of_safetensors(entry.dtype, entry.name);
    const StoredTensor stored{.type = type ? *type : StoredType::kF32,
                              .shape = type ? entry.shape : std::vector<std::int64_t>{},
                              .bytes = file->bytes(entry)};
    if (!tensors_.emplace(entry.name, stored).second) {
      return unusable(path, "tensor " + entry.name + " is in another shard as well");
    }
  }
  shards_.push_back(std::move(*file));
  return {};
}

Result<HfFolder> HfFolder::open(const fs::path& folder) {
  HfFolder model;
  Result<Json> config = read_data_json(folder / "config.json");
  if (!config) {
    return config.error();
  }
  model.config_ = std::move(*config);
  auto types = block_types_of(model.config_);
  if (!types) {
    return unusable(folder / "config.json", types.error().message);
  }
  model.block_types_ = std::move(*types);
  std::error_code failed;
  std::set<std::string> shards{kSingle};
  if (fs::exists(folder / kIndex, failed)) {
    auto listed = shards_of(folder / kIndex);
    if (!listed) {
      return listed.error();
    }
    shards = std::move(*listed);
  }
  for (const std::string& shard : shards) {
    const Result<void> added = model.add_shard(folder / shard);
    if (!added) {
      return added.error();
    }
  }
  return model;
}

}  // namespace lathe
