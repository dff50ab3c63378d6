// Seeking, stepping and playing within the extent of a run.
#include "ui/model/scrubber.h"

#include <algorithm>
#include <cmath>

namespace lathe::ui {

void Scrubber::set_extent(double first, double last) {
  first_ = first;
  last_ = std::max(first, last);
  step_ = std::clamp(step_, first_, last_);
}

void Scrubber::seek(double step) {
  step_ = std::clamp(std::round(step), first_, last_);
  live_ = false;
  playing_ = false;
}

void Scrubber::go_live() {
  live_ = true;
  playing_ = false;
}

void Scrubber::to_flag(int direction) {
  double target = direction < 0 ? first_ : last_;
  for (const TimeFlag& flag : flags_) {
    if (direction > 0 && flag.step > step()) {
      target = std::min(target, flag.step);
    } else if (direction < 0 && flag.step < step()) {
      target = std::max(target, flag.step);
    }
  }
  seek(target);
}

void Scrubber::toggle_play() {
  if (playing_) {
    playing_ = false;
    return;
  }
  if (step() >= last_) {
    step_ = first_;
  }
  live_ = false;
  playing_ = last_ > first_;
}

void Scrubber::tick(double secs) {
  if (!playing_) {
    return;
  }
  step_ = std::min(last_, step_ + (last_ - first_) * secs / kPlaySecs);
  playing_ = step_ < last_;
}

}  // namespace lathe::ui
