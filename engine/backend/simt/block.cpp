// The scheduler of a block: starts the threads of a warp one after the other, on one fiber as long
// as none waits, and lets those that wait go on when the last one they wait for has come. A warp
// goes as far as it can before the next: of two that need a barrier between them one is far ahead.
#include "engine/backend/simt/block.h"

#include <fmt/core.h>

#include <algorithm>
#include <exception>
#include <list>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "engine/backend/device_error.h"
#include "engine/backend/simt/fiber_stack.h"
#include "engine/base/check.h"

namespace lathe::simt {
class Block;
namespace {

// The block that runs, for what its threads call.
Block* running_block = nullptr;

namespace context = boost::context;

enum class State : std::uint8_t { kReady, kAtBarrier, kAtExchange, kDone };

struct Thread {
  State state = State::kReady;
  unsigned mask = 0;       // of the exchange it waits at
  std::uint64_t sent = 0;  // what it put in there
  Exchanged received{};    // what all lanes put into its last one
  std::source_location place;
};

// Of the block's shared memory, as on a device.
constexpr std::size_t kSharedAlignment = 128;
struct AlignedDelete {
  void operator()(std::byte* bytes) const {
    ::operator delete (bytes, std::align_val_t{kSharedAlignment});
  }
};

// A fiber and the thread that waits on it.
struct Worker {
  context::stack_context stack{};
  context::fiber fiber;
  int thread = -1;
  void* fake_stack = nullptr;
};

// Thrown in a thread that waits where its block has failed.
struct Abandoned {};

std::string text_of(const dim3& at) {
  return fmt::format("({}, {}, {})", at.x, at.y, at.z);
}

std::string text_of(const std::source_location& place) {
  return fmt::format("{}:{}", place.file_name(), place.line());
}

bool same_place(const std::source_location& a, const std::source_location& b) {
  return a.line() == b.line() && a.column() == b.column() &&
         (a.file_name() == b.file_name() || std::string_view(a.file_name()) == b.file_name());
}

}  // namespace

class Block {
 public:
  Block(const GridCall& call, const std::function<void()>& body)
      : call_(call),
        body_(body),
        size_(static_cast<int>(call.block.x * call.block.y * call.block.z)),
        shared_(static_cast<std::byte*>(
            ::operator new (call.shared_bytes, std::align_val_t{kSharedAlignment}))) {}
  ~Block() { running_block = nullptr; }

  void run();

  void wait_for_block(std::source_location place);
  const Exchanged& exchange(unsigned mask, std::uint64_t value, std::source_location place);
  [[noreturn]] void fail(const std::string& what) const;
  int running() const { return running_; }
  void* shared() { return shared_.get(); }

 private:
  int in_turn(int position) const {
    return call_.turns == Turns::kAscending ? position : size_ - 1 - position;
  }
  void select(int thread);
  void start_workers();
  bool resume_warp(std::list<Worker>& warp);
  void resume(Worker& worker);
  context::fiber run_threads(Worker& worker, context::fiber&& scheduler);
  void suspend();
  void abandon_waiting();
  bool all_others_wait(int first, unsigned mask, std::source_location place) const;
  void hand_round(int first, unsigned mask);
  void expect_all_done() const;
  Thread& mine() { return threads_[static_cast<std::size_t>(running_)]; }

  const GridCall& call_;
  const std::function<void()>& body_;
  int size_;
  std::unique_ptr<std::byte, AlignedDelete> shared_;
  StackPool& stacks_ = kept_stacks();
  std::vector<Thread> threads_;
  std::vector<std::list<Worker>> warps_;  // what waits of each, both in order of turns
  context::fiber scheduler_;
  SchedulerStack scheduler_stack_;
  Worker* current_ = nullptr;
  int started_ = 0;
  int running_ = 0;
  int at_barrier_ = 0;
  bool abandoned_ = false;
  std::exception_ptr failure_;
};

void Block::select(int thread) {
  running_ = thread;
  const auto t = static_cast<unsigned>(thread);
  const dim3& block = call_.block;
  threadIdx = dim3(t % block.x, t / block.x % block.y, t / (block.x * block.y));
}

void Block::run() {
  std::fill_n(shared_.get(), call_.shared_bytes, std::byte{0xff});
  threads_.assign(static_cast<std::size_t>(size_), Thread{});
  started_ = 0;
  at_barrier_ = 0;
  running_block = this;
  warps_.resize(static_cast<std::size_t>(size_ / kWarp));
  start_workers();
  for (bool progress = true; progress;) {
    progress = false;
    for (std::list<Worker>& warp : warps_) {
      progress = resume_warp(warp) || progress;
    }
  }
  abandon_waiting();
  if (failure_ != nullptr) {
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
  expect_all_done();
}

void Block::start_workers() {
  while (started_ < size_ && failure_ == nullptr) {
    std::list<Worker>& warp = warps_[static_cast<std::size_t>(started_ / kWarp)];
    Worker& worker = warp.emplace_back();
    worker.stack = stacks_.take();
    const context::preallocated room(worker.stack.sp, worker.stack.size, worker.stack);
    worker.fiber = context::fiber(std::allocator_arg, room, PooledStacks{&stacks_},
                                  [this, &worker](context::fiber&& scheduler) {
                                    return run_threads(worker, std::move(scheduler));
                                  });
    resume(worker);
    if (!worker.fiber) {
      warp.pop_back();
    }
    if (started_ % kWarp == 0) {
      resume_warp(warp);
    }
  }
}

// Turns of the warp's threads until none of them may go on; false if there was none.
bool Block::resume_warp(std::list<Worker>& warp) {
  int turns = 0;
  for (int before = -1; before != turns;) {
    before = turns;
    for (auto worker = warp.begin(); worker != warp.end() && failure_ == nullptr;) {
      if (threads_[static_cast<std::size_t>(worker->thread)].state == State::kReady) {
        ++turns;
        resume(*worker);
      }
      worker = worker->fiber ? std::next(worker) : warp.erase(worker);
    }
  }
  return turns > 0;
}

void Block::resume(Worker& worker) {
  current_ = &worker;
  if (worker.thread >= 0) {
    select(worker.thread);
  }
  void* fake_stack = nullptr;
  entering_fiber(&fake_stack, worker.stack);
  worker.fiber = std::move(worker.fiber).resume();
  arrived(fake_stack, nullptr);
  if (!worker.fiber) {
    fiber_ended(worker.fake_stack, worker.stack, scheduler_stack_);
  }
}

// Ends what a failure left: by an exception of our own, since the sanitizer has to hear of each
// switch, and a fiber that is destroyed switches by itself.
void Block::abandon_waiting() {
  abandoned_ = true;
  for (std::list<Worker>& warp : warps_) {
    for (Worker& worker : warp) {
      resume(worker);
    }
    warp.clear();
  }
  abandoned_ = false;
}

// The body of a worker: the threads of a warp that have not begun, until one waits; then, when that
// one is done, what is left.
context::fiber Block::run_threads(Worker& worker, context::fiber&& scheduler) {
  arrived(nullptr, &scheduler_stack_);
  scheduler_ = std::move(scheduler);
  const int end = (started_ / kWarp + 1) * kWarp;
  while (started_ < end && failure_ == nullptr && !abandoned_) {
    worker.thread = in_turn(started_++);
    select(worker.thread);
    try {
      body_();
    } catch (const Abandoned&) {
      break;
    } catch (...) {
      failure_ = std::current_exception();
    }
    threads_[static_cast<std::size_t>(worker.thread)].state = State::kDone;
  }
  leaving_fiber(&worker.fake_stack, scheduler_stack_);
  return std::move(scheduler_);
}

void Block::suspend() {
  Worker* const worker = current_;
  void* fake_stack = nullptr;
  leaving_fiber(&fake_stack, scheduler_stack_);
  scheduler_ = std::move(scheduler_).resume();
  arrived(fake_stack, &scheduler_stack_);
  current_ = worker;
  if (abandoned_) {
    throw Abandoned{};
  }
}

void Block::wait_for_block(std::source_location place) {
  Thread& thread = mine();
  thread.place = place;
  if (at_barrier_ > 0) {
    const auto other = std::find_if(threads_.begin(), threads_.end(), [](const Thread& waiting) {
      return waiting.state == State::kAtBarrier;
    });
    if (!same_place(other->place, place)) {
      fail(fmt::format("thread {} waits at {} while others wait at {}", text_of(threadIdx),
                       text_of(place), text_of(other->place)));
    }
  }
  if (++at_barrier_ < size_) {
    thread.state = State::kAtBarrier;
    suspend();
    return;
  }
  at_barrier_ = 0;
  for (Thread& waiting : threads_) {
    waiting.state = State::kReady;
  }
}

const Exchanged& Block::exchange(unsigned mask, std::uint64_t value, std::source_location place) {
  Thread& thread = mine();
  const int first = running_ / kWarp * kWarp;
  if ((mask >> (running_ - first) & 1u) == 0) {
    fail(fmt::format("lane {} is not in the mask that it names at {}", running_ - first,
                     text_of(place)));
  }
  thread.sent = value;
  thread.place = place;
  thread.mask = mask;
  if (all_others_wait(first, mask, place)) {
    hand_round(first, mask);
  } else {
    thread.state = State::kAtExchange;
    suspend();
  }
  return thread.received;
}

// Whether every other lane of the mask waits for this one, which must be at this very exchange. The
// one whose turn is next tells soonest that not all do; the last to come looks at all.
bool Block::all_others_wait(int first, unsigned mask, std::source_location place) const {
  const int next = call_.turns == Turns::kAscending ? 1 : kWarp - 1;
  for (int i = 1; i < kWarp; ++i) {
    const int lane = (running_ - first + i * next) % kWarp;
    const int other = first + lane;
    if ((mask >> lane & 1u) == 0) {
      continue;
    }
    if (other >= size_ || threads_[static_cast<std::size_t>(other)].state == State::kDone) {
      fail(fmt::format("lane {} of the mask at {} is not there", lane, text_of(place)));
    }
    const Thread& there = threads_[static_cast<std::size_t>(other)];
    if (there.state != State::kAtExchange || (there.mask >> (running_ - first) & 1u) == 0) {
      return false;
    }
    if (there.mask != mask || !same_place(there.place, place)) {
      fail(fmt::format("lanes of one warp meet at {} and at {}", text_of(place),
                       text_of(there.place)));
    }
  }
  return true;
}

void Block::hand_round(int first, unsigned mask) {
  Exchanged values{};
  for (int lane = 0; lane < kWarp; ++lane) {
    if ((mask >> lane & 1u) != 0) {
      values[static_cast<std::size_t>(lane)] =
          threads_[static_cast<std::size_t>(first + lane)].sent;
    }
  }
  for (int lane = 0; lane < kWarp; ++lane) {
    if ((mask >> lane & 1u) != 0) {
      Thread& thread = threads_[static_cast<std::size_t>(first + lane)];
      thread.received = values;
      thread.state = State::kReady;
    }
  }
}

void Block::fail(const std::string& what) const {
  throw DeviceError(fmt::format("{}, grid {} of blocks {}, block {}: {}", call_.op,
                                text_of(call_.grid), text_of(call_.block), text_of(blockIdx),
                                what));
}

void Block::expect_all_done() const {
  std::string waiting;
  for (std::size_t i = 0; i < threads_.size() && waiting.size() < 400; ++i) {
    if (threads_[i].state != State::kDone) {
      waiting +=
          fmt::format("{}{} at {}", waiting.empty() ? "" : ", ", i, text_of(threads_[i].place));
    }
  }
  if (!waiting.empty()) {
    fail("threads wait for others that never come: " + waiting);
  }
}

void run_grid(const GridCall& call, const std::function<void()>& thread) {
  CHECK(running_block == nullptr, "one simulated grid at a time");
  blockDim = call.block;
  gridDim = call.grid;
  Block block(call, thread);
  if (call.block.x * call.block.y * call.block.z % kWarp != 0 ||
      call.block.x * call.block.y * call.block.z > 1024) {
    block.fail("a block has whole warps, 1024 threads at most");
  }
  const std::uint64_t blocks = std::uint64_t{call.grid.x} * call.grid.y * call.grid.z;
  for (std::uint64_t i = 0; i < blocks; ++i) {
    const std::uint64_t at = call.turns == Turns::kAscending ? i : blocks - 1 - i;
    blockIdx = dim3(static_cast<unsigned>(at % call.grid.x),
                    static_cast<unsigned>(at / call.grid.x % call.grid.y),
                    static_cast<unsigned>(at / call.grid.x / call.grid.y));
    block.run();
  }
}

void wait_for_block(std::source_location place) {
  running_block->wait_for_block(place);
}

const Exchanged& exchange(unsigned mask, std::uint64_t value, std::source_location place) {
  return running_block->exchange(mask, value, place);
}

void check_lane(unsigned mask, int source, std::source_location place) {
  if (source < 0 || source >= kWarp || (mask >> source & 1u) == 0) {
    running_block->fail(
        fmt::format("lane {}, asked for at {}, is not in the mask", source, text_of(place)));
  }
}

void require(bool holds, std::string_view rule, std::source_location place) {
  if (!holds) {
    running_block->fail(fmt::format("{}: not so at {}", rule, text_of(place)));
  }
}

int lane() {
  return running_block->running() % kWarp;
}

void* shared_bytes() {
  return running_block->shared();
}

}  // namespace lathe::simt
