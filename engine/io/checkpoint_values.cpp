// See checkpoint_values.h.
#include "engine/io/checkpoint_values.h"

#include <cstring>

namespace lathe {

Result<std::vector<float>> checkpoint_floats(const SafetensorsFile& file,
                                             const std::filesystem::path& folder,
                                             const std::string& name,
                                             const std::vector<std::int64_t>& shape) {
  const SafetensorsEntry* entry = file.find(name);
  if (entry == nullptr || entry->dtype != "F32" || entry->shape != shape) {
    return Error{ErrorKind::kData, folder.string() + ": there is no " + name + " of its shape",
                 "the checkpoint is damaged or of another run; take another one"};
  }
  const std::span<const std::byte> bytes = file.bytes(*entry);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

}  // namespace lathe
