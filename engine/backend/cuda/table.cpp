// The table of the cuda back end: every op there is.
#include "engine/backend/cuda/ops.h"

namespace lathe::LATHE_GPU {

const OpTable& op_table() {
  static constexpr OpTable kTable{
#define OP(name, Args) .name = LATHE_GPU::name,
#include "engine/ops/op_list.inl"
#undef OP
  };
  return kTable;
}

}  // namespace lathe::LATHE_GPU
