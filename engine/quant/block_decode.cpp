// Rows of stored numbers to floats.
#include "engine/quant/block_decode.h"

#include "engine/base/check.h"
#include "engine/quant/block_codec.h"

namespace lathe {

void decode_row(StoredType type, const std::byte* stored, float* out, std::int64_t elements) {
  CHECK(type < DType::kInt8Row && elements % info_of(type).block_elements == 0,
        "a stored row is whole blocks of floats, without tables");
  block::decode_run(type, reinterpret_cast<const block::Byte*>(stored), out, elements);
}

}  // namespace lathe
