// Writes a file so that a reader finds the old one or the whole new one, never a part: into a
// temporary file beside it, flushed to disk, then renamed over it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

#include "engine/base/result.h"

namespace lathe {

class AtomicFile {
 public:
  // Creates the parent folders and the temporary file. Errors are kDisk and name the path.
  static Result<AtomicFile> create(const std::filesystem::path& path);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  // Removes the temporary file unless commit() succeeded.
  ~AtomicFile();

  // Appends.
  Result<void> write(const void* data, std::size_t bytes);
  // Overwrites bytes that were already written, e.g. a header whose counts were not known.
  Result<void> write_at(std::size_t offset, const void* data, std::size_t bytes);
  // Flushes, renames and flushes the folder. Nothing may be written afterwards.
  Result<void> commit();

 private:
  AtomicFile(std::filesystem::path path, std::filesystem::path temporary, int descriptor);
  Error disk_error(std::string_view action, int code) const;

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
};

// Flushes a folder's entries, so that a rename within it outlives a power cut. Not every file
// system can; the rename itself is done either way.
void sync_folder(const std::filesystem::path& folder);

// The whole of a small file in one go.
Result<void> write_file_atomically(const std::filesystem::path& path, std::string_view text);

}  // namespace lathe
