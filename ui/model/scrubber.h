// The time strip: one instant of a recorded run that every plot, table and memory band shows.
#pragma once

#include <cstdint>
#include <vector>

namespace lathe::ui {

// A flag on the strip: a checkpoint, an evaluation, a changed knob, the first non-finite value.
enum class FlagKind : std::uint8_t { kCheckpoint, kChange, kEvaluation, kProblem };
struct TimeFlag {
  double step = 0;
  FlagKind kind = FlagKind::kCheckpoint;
};

class Scrubber {
 public:
  // The run's extent; live follows the end. Keeps the instant within it.
  void set_extent(double first, double last);
  void set_flags(std::vector<TimeFlag> flags) { flags_ = std::move(flags); }
  const std::vector<TimeFlag>& flags() const { return flags_; }

  double first() const { return first_; }
  double last() const { return last_; }
  double step() const { return live_ ? last_ : step_; }
  bool live() const { return live_; }
  bool playing() const { return playing_; }

  void seek(double step);
  void go_live();
  void go_first() { seek(first_); }
  // Moves by whole steps; to the next or former flag.
  void move(double steps) { seek(step() + steps); }
  void to_flag(int direction);
  // Playing covers the whole run in about kPlaySecs; playing from the end starts over.
  void toggle_play();
  void tick(double secs);

  static constexpr double kPlaySecs = 12;

 private:
  double first_ = 0;
  double last_ = 0;
  double step_ = 0;
  bool live_ = true;
  bool playing_ = false;
  std::vector<TimeFlag> flags_;
};

}  // namespace lathe::ui
