// The ops of the cuda back end, in one copy for devices and one for the simulation, each in its
// namespace.
#pragma once

#include "engine/backend/backend.h"

namespace lathe::LATHE_GPU {

#define OP(name, Args) void name(Backend& backend, const Args& args);
#include "engine/ops/op_list.inl"
#undef OP

const OpTable& op_table();

}  // namespace lathe::LATHE_GPU
