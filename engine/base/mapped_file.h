// A file mapped read-only into memory. Only for files that are replaced by rename (atomic_file.h):
// one that is truncated in place while mapped would end the process.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "engine/base/result.h"

namespace lathe {

class MappedFile {
 public:
  // kData, naming the path, where it is missing, not a regular file or not readable.
  static Result<MappedFile> open(const std::filesystem::path& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  // Starts at a page boundary; empty for an empty file.
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  MappedFile(const std::byte* data, std::size_t size) : data_(data), size_(size) {}

  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// Takes the pages that lie whole within a part of a mapped file out of the process's memory; what
// reads them again gets them from the file. Precondition: the part is of a MappedFile.
void let_go_of_pages(std::span<const std::byte> mapped);

}  // namespace lathe
