// The reference: plain loops in double, one thread, portable functions. Slow, and the definition of
// what every other back end must compute.
#pragma once

#include <memory>

#include "engine/backend/backend.h"

namespace lathe {

std::unique_ptr<Backend> make_cpu_ref_backend();

namespace cpu_ref {
#define OP(name, Args) void name(Backend& backend, const Args& args);
#include "engine/ops/op_list.inl"
#undef OP
}  // namespace cpu_ref

}  // namespace lathe
