// The device that a spec or the command line names, and what a plan has to know of it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/backend/backend.h"
#include "engine/base/result.h"
#include "experiments/host_memory.h"

namespace lathe::experiments {

// The back end's name that a device means: auto is the first CUDA device where it can be used, else
// cpu; cuda is cuda:0. kDevice for one that is not there.
Result<std::string> resolve_device(const std::string& device);

// Why auto means cpu on this machine; empty where it means a device.
std::string why_auto_is_cpu();

// What decides the memory of a step on a device by its resolved name; `threads` is the processor's.
Result<MachineShape> machine_shape(const std::string& device, int threads);

// What a run on a device by its resolved name may take.
std::optional<AvailableMemory> available_memory(const std::string& device);

}  // namespace lathe::experiments
