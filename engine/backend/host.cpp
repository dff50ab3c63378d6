// Facts about the host, from /proc/cpuinfo and OpenMP.
#include "engine/backend/host.h"

#include <omp.h>

#include <fstream>

namespace lathe {

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  std::string line;
  while (std::getline(info, line)) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "CPU";
}

std::string describe_cpu(int threads) {
  return cpu_name() + ", " + std::to_string(threads) + (threads == 1 ? " thread" : " threads");
}

int default_threads() {
  return omp_get_max_threads();
}

}  // namespace lathe
