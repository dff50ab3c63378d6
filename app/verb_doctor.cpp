// lathe doctor: versions, devices, folders, a check of the store: text to paste into a report.
#include <fmt/core.h>

#include <filesystem>

#include "app/cli.h"
#include "app/verb_list.h"
#include "engine/backend/backend.h"
#include "engine/backend/cuda/cuda_devices.h"
#include "engine/base/build_info.h"
#include "engine/base/format.h"
#include "engine/base/paths.h"
#include "experiments/device.h"

namespace lathe::app {
namespace {

namespace fs = std::filesystem;

std::string folder_text(const fs::path& folder) {
  std::error_code failed;
  if (!fs::exists(folder, failed)) {
    return folder.string() + " (not there yet)";
  }
  const fs::space_info space = fs::space(folder, failed);
  return fmt::format("{} ({} free)", folder.string(),
                     failed ? "unknown" : bytes_text(static_cast<std::int64_t>(space.available)));
}

Json store_report(const GlobalOptions& options) {
  const std::string file = store_path(options);
  std::error_code failed;
  if (!fs::exists(file, failed)) {
    return {{"file", file}, {"state", "not there yet; the first run makes it"}};
  }
  const auto catalog = storage::open_catalog(file);
  if (!catalog) {
    return {{"file", file}, {"state", catalog.error().text()}, {"bad", true}};
  }
  const auto runs = (*catalog)->runs(true);
  const auto sound = storage::check_store(file);
  const std::string verdict = sound ? "sound" : sound.error().text();
  return {{"file", file},
          {"bytes", static_cast<std::int64_t>(fs::file_size(file, failed))},
          {"runs", runs ? runs->size() : 0},
          {"state", verdict},
          {"bad", !sound.ok()}};
}

Json devices_report(int threads) {
  Json devices = Json::array();
  for (const char* name : {"cpu", "cpu_ref"}) {
    const auto backend = make_backend(name, threads);
    devices.push_back(backend ? Json{{"device", name},
                                     {"is", (*backend)->info().device},
                                     {"threads", (*backend)->parallelism()}}
                              : Json{{"device", name}, {"is", backend.error().text()}});
  }
  for (const CudaDevice& device : cuda_report().devices) {
    const std::string is =
        fmt::format("{}, compute capability {}.{}, {} multiprocessors, {}{}", device.name,
                    device.capability / 10, device.capability % 10, device.multiprocessors,
                    bytes_text(device.total_bytes),
                    device.problem.empty() ? "" : "; cannot be used: " + device.problem);
    devices.push_back({{"device", fmt::format("cuda:{}", device.index)},
                       {"is", is},
                       {"usable", device.problem.empty()}});
  }
  return devices;
}

Json cuda_json() {
  const CudaReport report = cuda_report();
  const std::string why = experiments::why_auto_is_cpu();
  return {{"built", report.built},
          {"driver", report.driver},
          {"cublas", report.cublas},
          {"auto", why.empty() ? "cuda:0" : "cpu, because " + why}};
}

Json report(const GlobalOptions& options) {
  const BuildInfo& build = build_info();
  return {{"version", build.version},
          {"commit", build.commit},
          {"compiler", build.compiler},
          {"build_type", build.build_type},
          {"devices", devices_report(options.threads)},
          {"cuda", cuda_json()},
          {"config", folder_text(config_dir())},
          {"data", folder_text(data_dir())},
          {"state", folder_text(state_dir())},
          {"cache", folder_text(cache_dir())},
          {"assets", find_asset("configs").value_or("missing").string()},
          {"store", store_report(options)}};
}

void print_report(const Json& found) {
  fmt::print("lathe {} (commit {}, {}, {})\n", found["version"].get<std::string>(),
             found["commit"].get<std::string>(), found["compiler"].get<std::string>(),
             found["build_type"].get<std::string>());
  for (const Json& device : found["devices"]) {
    fmt::print("{:8} {}\n", device["device"].get<std::string>(), device["is"].get<std::string>());
  }
  const Json& cuda = found["cuda"];
  fmt::print("{:8} built: {}; driver: {}; cuBLAS: {}\n", "cuda", cuda["built"].get<std::string>(),
             cuda["driver"].get<std::string>(), cuda["cublas"].get<std::string>());
  fmt::print("{:8} {}\n", "auto", cuda["auto"].get<std::string>());
  for (const char* place : {"config", "data", "state", "cache", "assets"}) {
    fmt::print("{:8} {}\n", place, found[place].get<std::string>());
  }
  const Json& store = found["store"];
  fmt::print("{:8} {}: {}", "store", store["file"].get<std::string>(),
             store["state"].get<std::string>());
  if (store.contains("runs")) {
    fmt::print(", {} runs, {}", store["runs"].get<std::size_t>(),
               bytes_text(store["bytes"].get<std::int64_t>()));
  }
  fmt::print("\n");
}

}  // namespace

void add_doctor(CLI::App& root, Cli& cli) {
  add_verb(root, cli, "doctor", "Versions, devices, folders and a check of the store", [&cli] {
    const Json found = report(cli.options);
    if (cli.options.json) {
      print_json(found, 2);
    } else {
      print_report(found);
    }
    return found["store"].value("bad", false) ? exit_code(ErrorKind::kStore) : 0;
  });
}

}  // namespace lathe::app
