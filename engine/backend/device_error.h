// What a device refuses: thrown by back ends, caught where runs and jobs end
// (experiments/runner.cpp, app). The run is lost, the program is not.
#pragma once

#include <stdexcept>
#include <string>

namespace lathe {

class DeviceError : public std::runtime_error {
 public:
  // `what` names op, shape and the device's own words.
  explicit DeviceError(const std::string& what) : std::runtime_error(what) {}
};

}  // namespace lathe
