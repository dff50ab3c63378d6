// See failure.h.
#include "engine/backend/failure.h"

#include <new>

#include "engine/backend/device_error.h"
#include "engine/tensor/allocator.h"

namespace lathe {

Error error_of(const std::exception& failure, const std::string& memory_remedy) {
  if (dynamic_cast<const OutOfMemory*>(&failure) != nullptr) {
    return {ErrorKind::kOutOfMemory, failure.what(), memory_remedy};
  }
  if (dynamic_cast<const std::bad_alloc*>(&failure) != nullptr) {
    return {ErrorKind::kOutOfMemory, "the machine gives this process no more memory",
            memory_remedy};
  }
  if (dynamic_cast<const DeviceError*>(&failure) != nullptr) {
    return {ErrorKind::kDevice, failure.what(),
            "what follows on this device may fail too until the program is started again; runs go "
            "on from their last checkpoint (`lathe resume`), with --device cpu where need be"};
  }
  return {ErrorKind::kFailed, failure.what(), ""};
}

}  // namespace lathe
