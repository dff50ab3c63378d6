// See input_file.h. A disk would be a hundred times slower than the readers.
#include "tests/fuzz/input_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include "engine/base/check.h"

namespace lathe::fuzz {

namespace fs = std::filesystem;

InputFile::InputFile(const std::string& name)
    : folder_(fs::temp_directory_path() / ("lathe_fuzz_" + std::to_string(getpid()) + "_" + name)),
      path_(folder_ / name),
      descriptor_(memfd_create(name.c_str(), MFD_CLOEXEC)) {
  CHECK(descriptor_ >= 0, "the kernel has files in memory");
  fs::remove_all(folder_);
  fs::create_directories(folder_);
  fs::create_symlink("/proc/self/fd/" + std::to_string(descriptor_), path_);
}

InputFile::~InputFile() {
  close(descriptor_);
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

const fs::path& InputFile::fill(const std::uint8_t* data, std::size_t size) const {
  CHECK(ftruncate(descriptor_, 0) == 0, "a file in memory can be cut");
  CHECK(pwrite(descriptor_, data, size, 0) == static_cast<ssize_t>(size), "and be written");
  return path_;
}

}  // namespace lathe::fuzz
