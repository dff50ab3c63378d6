// The table of layers, and of the one folder that each foreign library is allowed in.
#include "tests/lint/layering.h"

#include <algorithm>
#include <array>
#include <optional>

namespace lathe::lint {
namespace {

struct Layer {
  std::string_view folder;
  int rank;
};

// Lowest first. A file may include its own folder and every lower rank; folders of one rank do not
// see each other.
constexpr std::array kLayers{
    Layer{"engine/base/", 0},
    Layer{"engine/tensor/", 1},
    Layer{"engine/quant/", 2},
    Layer{"engine/tokenizer/", 2},
    Layer{"engine/ops/", 2},
    Layer{"engine/backend/", 3},
    Layer{"engine/nn/", 4},
    Layer{"engine/methods/", 5},
    Layer{"engine/optim/", 5},
    Layer{"engine/data/", 5},
    Layer{"engine/io/", 5},
    Layer{"engine/lm/", 6},
    Layer{"engine/train/", 7},
    Layer{"engine/eval/", 7},
    Layer{"engine/compress/", 7},
    Layer{"experiments/", 8},
    Layer{"storage/", 9},
    Layer{"ui/", 10},
    Layer{"app/", 11},
    Layer{"tests/", 12},
};

// Narrower doors than the order alone: of these layers, this folder may name only what is listed.
struct Door {
  std::string_view from;
  std::string_view to;
  std::array<std::string_view, 8> allowed;
};
constexpr std::array kDoors{
    Door{"storage/", "engine/", {"engine/base/"}},
    Door{"ui/", "engine/", {"engine/base/"}},
    Door{"ui/",
         "experiments/",
         {"experiments/events.h", "experiments/ids.h", "experiments/memory_trace.h",
          "experiments/metrics.h", "experiments/quant_probe.h", "experiments/run_spec.h",
          "experiments/spectrum.h", "experiments/sweep.h"}},
    Door{"ui/", "storage/", {"storage/run_catalog.h"}},
};

// A library whose headers start with `prefix` belongs to the places named.
struct Fence {
  std::string_view prefix;
  std::array<std::string_view, 3> places;
};
constexpr std::array kFences{
    Fence{"sqlite3", {"storage/sqlite/"}},
    Fence{"SQLiteCpp/", {"storage/sqlite/"}},
    Fence{"imgui", {"ui/", "app/window", "tests/ui/"}},
    Fence{"implot", {"ui/", "app/window", "tests/ui/"}},
    Fence{"GLFW/", {"ui/", "app/window", "tests/ui/"}},
    Fence{"oneapi/dnnl/", {"engine/backend/cpu/"}},
    Fence{"cuda", {"engine/backend/cuda/"}},
    Fence{"cublas", {"engine/backend/cuda/"}},
    Fence{"gtest/", {"tests/"}},
    Fence{"gmock/", {"tests/"}},
};

std::optional<Layer> layer_of(std::string_view path) {
  const auto found = std::ranges::find_if(
      kLayers, [&](const Layer& layer) { return path.starts_with(layer.folder); });
  return found == kLayers.end() ? std::nullopt : std::optional(*found);
}

template <typename List>
bool starts_with_one_of(std::string_view path, const List& prefixes) {
  return std::ranges::any_of(prefixes, [&](std::string_view prefix) {
    return !prefix.empty() && path.starts_with(prefix);
  });
}

}  // namespace

std::string forbidden_include(std::string_view path, std::string_view target) {
  const std::optional<Layer> from = layer_of(path);
  const std::optional<Layer> to = layer_of(target);
  if (!to) {
    return "includes are written from the repository root, those of libraries in <>";
  }
  if (!from || from->folder == to->folder) {
    return "";
  }
  if (to->rank == from->rank) {
    return "folders of one rank do not see each other";
  }
  if (to->rank > from->rank) {
    return "includes point downwards only";
  }
  for (const Door& door : kDoors) {
    if (path.starts_with(door.from) && target.starts_with(door.to) &&
        !starts_with_one_of(target, door.allowed)) {
      return "this layer sees only a few headers of that one (tests/lint/layering.cpp lists them)";
    }
  }
  return "";
}

std::string forbidden_library(std::string_view path, std::string_view target) {
  if (path.starts_with("ui/model/") &&
      (target.starts_with("imgui") || target.starts_with("implot"))) {
    return "ui/model is logic without ImGui";
  }
  for (const Fence& fence : kFences) {
    if (target.starts_with(fence.prefix) && !starts_with_one_of(path, fence.places)) {
      return "this library is used in " + std::string(fence.places.front()) + " only";
    }
  }
  return "";
}

}  // namespace lathe::lint
