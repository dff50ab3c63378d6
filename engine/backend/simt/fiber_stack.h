// Stacks of simulated threads, kept for reuse, and what the address sanitizer has to be told when
// one is left for another (without it, it takes the other stack for a stray pointer).
#pragma once

#include <boost/context/fiber.hpp>
#include <boost/context/fixedsize_stack.hpp>
#include <vector>

// Weak: null where no sanitizer is linked.
extern "C" {
[[gnu::weak]] void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom,
                                                  std::size_t size);
[[gnu::weak]] void __sanitizer_finish_switch_fiber(void* fake_stack, const void** old_bottom,
                                                   std::size_t* old_size);
}

namespace lathe::simt {

class StackPool {
 public:
  // Room for the locals of a kernel, also with the sanitizer's gaps between them.
  static constexpr std::size_t kBytes = 256 * 1024;

  boost::context::stack_context take() {
    if (free_.empty()) {
      return boost::context::fixedsize_stack(kBytes).allocate();
    }
    const boost::context::stack_context stack = free_.back();
    free_.pop_back();
    return stack;
  }
  void give_back(const boost::context::stack_context& stack) { free_.push_back(stack); }
  ~StackPool() {
    for (boost::context::stack_context& stack : free_) {
      boost::context::fixedsize_stack(kBytes).deallocate(stack);
    }
  }

 private:
  std::vector<boost::context::stack_context> free_;
};

// Of all grids, one after the other: to the system each stack costs pages anew, and more under the
// sanitizer.
inline StackPool& kept_stacks() {
  static StackPool stacks;
  return stacks;
}

// A pool as Boost.Context's allocator.
struct PooledStacks {
  StackPool* pool;
  boost::context::stack_context allocate() { return pool->take(); }
  void deallocate(boost::context::stack_context& stack) { pool->give_back(stack); }
};

// The stack that the scheduler runs on, as the sanitizer told it when it was left.
struct SchedulerStack {
  const void* bottom = nullptr;
  std::size_t size = 0;
};

inline void entering_fiber(void** fake_stack, const boost::context::stack_context& stack) {
  if (__sanitizer_start_switch_fiber != nullptr) {
    const auto* top = static_cast<const char*>(stack.sp);
    __sanitizer_start_switch_fiber(fake_stack, top - stack.size, stack.size);
  }
}
inline void leaving_fiber(void** fake_stack, const SchedulerStack& scheduler) {
  if (__sanitizer_start_switch_fiber != nullptr) {
    __sanitizer_start_switch_fiber(fake_stack, scheduler.bottom, scheduler.size);
  }
}
inline void arrived(void* fake_stack, SchedulerStack* left) {
  if (__sanitizer_finish_switch_fiber != nullptr) {
    __sanitizer_finish_switch_fiber(fake_stack, left == nullptr ? nullptr : &left->bottom,
                                    left == nullptr ? nullptr : &left->size);
  }
}
// On the scheduler's stack, when the fiber is gone: enters and leaves it for good, in name, so that
// its fake stack is given back. It cannot be when the fiber leaves, whose functions return after.
inline void fiber_ended(void* fake_stack, const boost::context::stack_context& stack,
                        const SchedulerStack& scheduler) {
  if (__sanitizer_start_switch_fiber != nullptr) {
    void* own = nullptr;
    entering_fiber(&own, stack);
    arrived(fake_stack, nullptr);
    leaving_fiber(nullptr, scheduler);
    arrived(own, nullptr);
  }
}

}  // namespace lathe::simt
