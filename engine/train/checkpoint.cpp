// Checkpoint folders.
#include "engine/train/checkpoint.h"

#include <filesystem>

#include "engine/base/atomic_file.h"
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

std::vector<NamedTensor> weights_of(const AdamW& optimizer) {
  std::vector<NamedTensor> list;
  for (const Parameter* parameter : optimizer.parameters()) {
    list.push_back({parameter->name, parameter->weight});
  }
  return list;
}

std::vector<NamedTensor> moments_of(const AdamW& optimizer) {
  std::vector<NamedTensor> list;
  for (std::size_t i = 0; i < optimizer.parameters().size(); ++i) {
    const std::string& name = optimizer.parameters()[i]->name;
    list.push_back({name + ".m", optimizer.first_moment(i)});
    list.push_back({name + ".v", optimizer.second_moment(i)});
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

Result<void> write_tensors(const fs::path& path, Backend& backend,
                           const std::vector<NamedTensor>& tensors) {
  SafetensorsWriter writer;
  for (const NamedTensor& named : tensors) {
    writer.declare(named.name, named.tensor.dtype, extents(named.tensor.shape));
  }
  writer.set_metadata("format", "lathe");
  Result<void> done = writer.open(path);
  std::vector<std::byte> host;
  for (std::size_t i = 0; done && i < tensors.size(); ++i) {
    host.resize(static_cast<std::size_t>(tensors[i].tensor.bytes()));
    backend.read(tensors[i].tensor, host.data(), tensors[i].tensor.bytes());
    done = writer.write(host.data(), host.size());
  }
  return done ? writer.commit() : done;
}

Error unusable(const std::string& folder, const std::string& what) {
  return {ErrorKind::kData, "checkpoint " + folder + ": " + what,
          "resume from another checkpoint, or run the spec again from the start"};
}

Result<void> read_tensors(const fs::path& path, Backend& backend,
                          const std::vector<NamedTensor>& tensors) {
  const Result<SafetensorsFile> file = SafetensorsFile::open(path);
  if (!file) {
    return file.error();
  }
  for (const NamedTensor& named : tensors) {
    const SafetensorsEntry* entry = file->find(named.name);
    if (entry == nullptr || entry->dtype != "F32" || entry->shape != extents(named.tensor.shape)) {
      return unusable(path.string(), "it lacks " + named.name + " of shape " +
                                         named.tensor.shape.text() + " in F32");
    }
    backend.write(named.tensor, file->bytes(*entry).data(), named.tensor.bytes());
  }
  return {};
}

Json state_json(const TrainState& state) {
  return {{"format", 1},
          {"step", state.step},
          {"tokens", state.tokens},
          {"lr", state.knobs.lr},
          {"weight_decay", state.knobs.weight_decay},
          {"clip_norm", state.knobs.clip_norm},
          {"spec_digest", state.spec_digest},
          {"data_digest", state.data_digest}};
}

Result<TrainState> parse_state(const std::string& folder) {
  const Result<Json> json = read_json_file((fs::path(folder) / "state.json").string());
  if (!json) {
    return unusable(folder, json.error().message);
  }
  try {
    if (json->at("format") != 1) {
      return unusable(folder, "format " + json->at("format").dump() + " is not 1");
    }
    return TrainState{.step = json->at("step"),
                      .tokens = json->at("tokens"),
                      .knobs = {.lr = json->at("lr"),
                                .weight_decay = json->at("weight_decay"),
                                .clip_norm = json->at("clip_norm")},
                      .spec_digest = json->at("spec_digest"),
                      .data_digest = json->at("data_digest")};
  } catch (const Json::exception& broken) {
    return unusable(folder, std::string("state.json: ") + broken.what());
  }
}

// Moves a finished folder to its name; a former one is replaced only after the new one is whole.
Result<void> publish(const fs::path& partial, const fs::path& folder) {
  std::error_code failed;
  fs::path old = folder;
  old += ".old";
  fs::remove_all(old, failed);
  if (fs::exists(folder)) {
    fs::rename(folder, old, failed);
  }
  fs::rename(partial, folder, failed);
  if (failed) {
    return Error{ErrorKind::kDisk,
                 "cannot name checkpoint " + folder.string() + ": " + failed.message(),
                 "check the folder's permissions and free space"};
  }
  fs::remove_all(old, failed);
  return {};
}

}  // namespace

Result<void> write_checkpoint(const std::string& folder, Backend& backend, const AdamW& optimizer,
                              const TrainState& state) {
  fs::path partial = folder;
  partial += ".partial";
  std::error_code failed;
  fs::remove_all(partial, failed);
  Result<void> done =
      write_tensors(partial / "weights.safetensors", backend, weights_of(optimizer));
  if (done) {
    done = write_tensors(partial / "optimizer.safetensors", backend, moments_of(optimizer));
  }
  if (done) {
    done = write_file_atomically(partial / "state.json", state_json(state).dump(2));
  }
  if (done) {
    done = publish(partial, folder);
  }
  if (!done) {
    fs::remove_all(partial, failed);
  }
  return done;
}

Result<TrainState> read_checkpoint(const std::string& folder, Backend& backend, AdamW& optimizer,
                                   const TrainState& expected) {
  const Result<TrainState> state = parse_state(folder);
  if (!state) {
    return state.error();
  }
  if (state->spec_digest != expected.spec_digest) {
    return unusable(folder, "it was written by another spec");
  }
  if (state->data_digest != expected.data_digest) {
    return unusable(folder, "it was trained on another corpus, or the corpus has changed since");
  }
  const fs::path root(folder);
  Result<void> done = read_tensors(root / "weights.safetensors", backend, weights_of(optimizer));
  if (done) {
    done = read_tensors(root / "optimizer.safetensors", backend, moments_of(optimizer));
  }
  if (!done) {
    return done.error();
  }
  return state;
}

}  // namespace lathe
