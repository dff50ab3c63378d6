// See file_hash.h.
#include "experiments/file_hash.h"

#include "engine/base/hash.h"
#include "engine/base/mapped_file.h"

namespace lathe::experiments {

Result<std::string> file_hash(const std::string& path) {
  const auto file = MappedFile::open(path);
  if (!file) {
    return file.error();
  }
  Sha256 digest;
  digest.update(file->bytes().data(), file->bytes().size());
  return digest.hex();
}

}  // namespace lathe::experiments
