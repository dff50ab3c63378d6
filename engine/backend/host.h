// What the back ends of this machine share: its name and its threads.
#pragma once

#include <string>

namespace lathe {

// "AMD EPYC", as the system names the processor; "CPU" where it does not say.
std::string cpu_name();
// "AMD EPYC, 2 threads"
std::string describe_cpu(int threads);
// The threads to use where none are asked for: OMP_NUM_THREADS, or all.
int default_threads();

}  // namespace lathe
