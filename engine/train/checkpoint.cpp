// Checkpoint folders.
#include "engine/train/checkpoint.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "engine/base/atomic_file.h"
#include "engine/base/hash.h"
#include "engine/base/json.h"
#include "engine/io/safetensors.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

// A tensor under the name it has in a file.
struct NamedTensor {
  std::string name;
  TensorRef tensor;
};

std::vector<NamedTensor> weights_of(const TrainedModel& model) {
  std::vector<NamedTensor> list;
  for (const Parameter* parameter : model.parameters) {
    if (parameter->given) {
      continue;  // its file is named by the spec
    }
    list.push_back({parameter->name, parameter->weight});
  }
  for (const auto& [weight, palette] : model.palettes) {
    for (const auto& [leaf, tensor] : palette->state()) {
      list.push_back({palette->name() + leaf, tensor});
    }
  }
  return list;
}

// What only training needs: moments, masters, directions of sub-tokens, projections.
std::vector<NamedTensor> moments_of(const TrainedModel& model) {
  const AdamW& optimizer = *model.optimizer;
  std::vector<NamedTensor> list;
  for (std::size_t i = 0; i < optimizer.parameters().size(); ++i) {
    const std::string& name = optimizer.parameters()[i]->name;
    for (const auto& [leaf, moment] : {std::pair(".m", optimizer.first_moment(i)),
                                       std::pair(".v", optimizer.second_moment(i))}) {
      list.push_back({name + leaf, moment.values});
      if (moment.absmax.defined()) {
        list.push_back({name + leaf + ".absmax", moment.absmax});
      }
    }
    if (const Tensor& master = optimizer.parameters()[i]->master; master.defined()) {
      list.push_back({name + ".master", master});
    }
  }
  for (const Subtokens* subtokens : model.subtokens) {
    list.push_back({subtokens->name(), subtokens->direction()});
  }
  for (const GradientProjection* projection : model.projections) {
    list.push_back({projection->name(), projection->basis()});
  }
  return list;
}

std::vector<std::int64_t> extents(const Shape& shape) {
  std::vector<std::int64_t> list;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    list.push_back(shape[axis]);
  }
  return list;
}

// Writes the tensors; the value is the checksum of their bytes, chained in order.
Result<std::uint64_t> write_tensors(const fs::path& path, Backend& backend,
                                    const std::vector<NamedTensor>& tensors) {
  SafetensorsWriter writer;
  for (const NamedTensor& named : tensors) {
    writer.declare(named.name, named.tensor.dtype, extents(named.tensor.shape));
  }
  writer.set_metadata("format", "lathe");
  Result<void> done = writer.open(path);
  std::vector<std::byte> host;
  std::uint64_t checksum = 0;
  for (std::size_t i = 0; done && i < tensors.size(); ++i) {
    host.resize(static_cast<std::size_t>(tensors[i].tensor.bytes()));
    backend.read(tensors[i].tensor, host.data(), tensors[i].tensor.bytes());
    checksum = xxh3(host.data(), host.size(), checksum);
    done = writer.write(host.data(), host.size());
  }
  if (done) {
    done = writer.commit();
  }
  if (!done) {
    return done.error();
  }
  return checksum;
}

Error unusable(const std::string& folder, const std::string& what) {
  return {ErrorKind::kData, "checkpoint " + folder + ": " + what,
          "resume from another checkpoint, or run the spec again from the start"};
}

// Opens a file that holds exactly these tensors, with this checksum.
Result<SafetensorsFile> open_tensors(const fs::path& path, const std::vector<NamedTensor>& tensors,
                                     std::uint64_t expected_checksum) {
  Result<SafetensorsFile> file = SafetensorsFile::open(path);
  if (!file) {
    return file;
  }
  std::uint64_t checksum = 0;
  for (const NamedTensor& named : tensors) {
    const SafetensorsEntry* entry = file->find(named.name);
    const std::string dtype = safetensors_name(named.tensor.dtype);
    if (entry == nullptr || entry->dtype != dtype || entry->shape != extents(named.tensor.shape)) {
      return unusable(path.string(), "it lacks " + named.name + " of shape " +
                                         named.tensor.shape.text() + " in " + dtype);
    }
    const std::span<const std::byte> bytes = file->bytes(*entry);
    checksum = xxh3(bytes.data(), bytes.size(), checksum);
  }
  if (file->entries().size() != tensors.size()) {
    return unusable(path.string(), "it holds " + std::to_string(file->entries().size()) +
                                       " tensors where the model has " +
                                       std::to_string(tensors.size()));
  }
  if (checksum != expected_checksum) {
    return unusable(path.string(), "its tensors are not those that were saved (checksum)");
  }
  return file;
}

void fill(Backend& backend, const std::vector<NamedTensor>& tensors, const SafetensorsFile& file) {
  for (const NamedTensor& named : tensors) {
    backend.write(named.tensor, file.bytes(*file.find(named.name)).data(), named.tensor.bytes());
  }
}

// What state.json says.
struct StoredState {
  TrainState state;
  std::uint64_t weights_checksum = 0;
  std::uint64_t optimizer_checksum = 0;
};

std::uint64_t checksum_of(const Json& state) {
  const std::string text = json_text(state);
  return xxh3(text.data(), text.size());
}

Json state_json(const StoredState& stored) {
  const TrainState& state = stored.state;
  Json json{{"format", 1},
            {"step", state.step},
            {"tokens", state.tokens},
            {"lr", state.knobs.lr},
            {"weight_decay", state.knobs.weight_decay},
            {"clip_norm", state.knobs.clip_norm},
            {"spec_digest", state.spec_digest},
            {"data_digest", state.data_digest},
            {"weights_checksum", stored.weights_checksum},
            {"optimizer_checksum", stored.optimizer_checksum}};
  json["checksum"] = checksum_of(json);
  return json;
}

Result<StoredState> parse_state(const std::string& folder) {
  Result<Json> json = read_json_file((fs::path(folder) / "state.json").string());
  if (!json) {
    return unusable(folder, json.error().message);
  }
  try {
    if (json->at("format") != 1) {
      return unusable(folder, "format " + json_text(json->at("format")) + " is not 1");
    }
    const auto checksum = json->at("checksum").get<std::uint64_t>();
    json->erase("checksum");
    const StoredState stored{.state = {.step = json->at("step"),
                                       .tokens = json->at("tokens"),
                                       .knobs = {.lr = json->at("lr"),
                                                 .weight_decay = json->at("weight_decay"),
                                                 .clip_norm = json->at("clip_norm")},
                                       .spec_digest = json->at("spec_digest"),
                                       .data_digest = json->at("data_digest")},
                             .weights_checksum = json->at("weights_checksum"),
                             .optimizer_checksum = json->at("optimizer_checksum")};
    if (checksum != checksum_of(*json) || stored.state.step < 0 || stored.state.tokens < 0) {
      return unusable(folder, "state.json is not what was saved (checksum)");
    }
    return stored;
  } catch (const Json::exception& broken) {
    return unusable(folder, std::string("state.json: ") + broken.what());
  }
}

// Gives a finished folder its name. Where one of that name stands the two change places in one
// step, so that no instant is without a whole checkpoint; the former one is then removed.
Result<void> publish(const fs::path& partial, const fs::path& folder) {
  std::error_code failed;
  const unsigned how = fs::exists(folder, failed) ? RENAME_EXCHANGE : 0U;
  if (renameat2(AT_FDCWD, partial.c_str(), AT_FDCWD, folder.c_str(), how) != 0) {
    return Error{
        ErrorKind::kDisk,
        "cannot name checkpoint " + folder.string() + ": " + std::generic_category().message(errno),
        "check the folder's permissions and free space; a file system that cannot exchange "
        "two folders needs another place for checkpoints"};
  }
  sync_folder(folder.has_parent_path() ? folder.parent_path() : fs::path("."));
  fs::remove_all(partial, failed);
  return {};
}

// Writes all files of a checkpoint into `partial`.
Result<void> write_files(const fs::path& partial, Backend& backend, const TrainedModel& model,
                         const TrainState& state) {
  const Result<std::uint64_t> weights =
      write_tensors(partial / "weights.safetensors", backend, weights_of(model));
  if (!weights) {
    return weights.error();
  }
  const Result<std::uint64_t> moments =
      write_tensors(partial / "optimizer.safetensors", backend, moments_of(model));
  if (!moments) {
    return moments.error();
  }
  const Json json = state_json({state, *weights, *moments});
  return write_file_atomically(partial / "state.json", json_text(json, 2));
}

}  // namespace

Result<void> write_checkpoint(const std::string& folder, Backend& backend,
                              const TrainedModel& model, const TrainState& state) {
  fs::path partial = folder;
  partial += ".partial";
  std::error_code failed;
  fs::remove_all(partial, failed);
  Result<void> done = write_files(partial, backend, model, state);
  if (done) {
    done = publish(partial, folder);
  }
  if (!done) {
    fs::remove_all(partial, failed);
  }
  return done;
}

Result<TrainState> read_checkpoint(const std::string& folder, Backend& backend,
                                   const TrainedModel& model, const TrainState& expected) {
  const Result<StoredState> stored = parse_state(folder);
  if (!stored) {
    return stored.error();
  }
  if (stored->state.spec_digest != expected.spec_digest) {
    return unusable(folder, "it was written by another spec");
  }
  if (stored->state.data_digest != expected.data_digest) {
    return unusable(folder, "it was trained on another corpus, or the corpus has changed since");
  }
  const fs::path root(folder);
  const auto weights = weights_of(model);
  const auto moments = moments_of(model);
  const auto weights_file =
      open_tensors(root / "weights.safetensors", weights, stored->weights_checksum);
  if (!weights_file) {
    return weights_file.error();
  }
  const auto moments_file =
      open_tensors(root / "optimizer.safetensors", moments, stored->optimizer_checksum);
  if (!moments_file) {
    return moments_file.error();
  }
  fill(backend, weights, *weights_file);
  fill(backend, moments, *moments_file);
  return stored->state;
}

}  // namespace lathe
