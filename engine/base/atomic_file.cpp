// POSIX: exclusive create, write, fsync, rename.
#include "engine/base/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>
#include <utility>

namespace lathe {
namespace {

// A name beside `path` that no other writer has, in this process or another.
std::filesystem::path temporary_name(const std::filesystem::path& path) {
  static std::atomic<unsigned> counter{0};
  return path.string() + ".tmp-" + std::to_string(getpid()) + "-" + std::to_string(counter++);
}

Error make_disk_error(const std::filesystem::path& path, std::string_view action, int code) {
  const bool full = code == ENOSPC || code == EDQUOT;
  return Error{.kind = ErrorKind::kDisk,
               .message = std::string(action) + " " + path.string() +
                          " failed: " + std::generic_category().message(code),
               .remedy = full ? "free some space there, or choose a folder on another disk"
                              : "make that folder writable, or choose another one"};
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path path, std::filesystem::path temporary, int descriptor)
    : path_(std::move(path)), temporary_(std::move(temporary)), descriptor_(descriptor) {}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) {
    close(descriptor_);
    unlink(temporary_.c_str());
  }
}

Result<AtomicFile> AtomicFile::create(const std::filesystem::path& path) {
  std::error_code failed;
  if (path.has_parent_path()) {
    std::filesystem::create_directories(path.parent_path(), failed);
  }
  if (failed) {
    return make_disk_error(path.parent_path(), "creating the folder", failed.value());
  }
  std::filesystem::path name;
  int descriptor = -1;
  do {  // a killed process of the same number may have left its file
    name = temporary_name(path);
    descriptor = open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor < 0 && errno == EEXIST);
  if (descriptor < 0) {
    return make_disk_error(path, "creating", errno);
  }
  return AtomicFile(path, name, descriptor);
}

Error AtomicFile::disk_error(std::string_view action, int code) const {
  return make_disk_error(path_, action, code);
}

Result<void> AtomicFile::write(const void* data, std::size_t bytes) {
  const char* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(descriptor_, from, bytes);
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written < 0) {
      return disk_error("writing", errno);
    }
    from += written;
    bytes -= static_cast<std::size_t>(written);
  }
  return {};
}

Result<void> AtomicFile::write_at(std::size_t offset, const void* data, std::size_t bytes) {
  const char* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = pwrite(descriptor_, from, bytes, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written < 0) {
      return disk_error("writing", errno);
    }
    from += written;
    offset += static_cast<std::size_t>(written);
    bytes -= static_cast<std::size_t>(written);
  }
  return {};
}

Result<void> AtomicFile::commit() {
  if (fsync(descriptor_) != 0) {
    return disk_error("flushing", errno);
  }
  if (rename(temporary_.c_str(), path_.c_str()) != 0) {
    return disk_error("replacing", errno);
  }
  // Some network file systems report a failed write only here.
  if (close(std::exchange(descriptor_, -1)) != 0) {
    return disk_error("closing", errno);
  }
  sync_folder(path_.has_parent_path() ? path_.parent_path() : ".");
  return {};
}

void sync_folder(const std::filesystem::path& folder) {
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor >= 0) {
    fsync(descriptor);
    close(descriptor);
  }
}

Result<void> write_file_atomically(const std::filesystem::path& path, std::string_view text) {
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file) {
    return file.error();
  }
  if (const Result<void> written = file->write(text.data(), text.size()); !written) {
    return written;
  }
  return file->commit();
}

}  // namespace lathe
