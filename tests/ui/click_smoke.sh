#!/usr/bin/env bash
# A person's first minute with a real mouse under Xvfb: start the program, click the sample sweep,
# wait until points are in the store, click Stop, close. Exit code 77: a tool is missing here.
#
#   click_smoke.sh path/to/lathe
set -euo pipefail

lathe=$1
for tool in Xvfb xdotool; do
  if ! command -v "$tool" >/dev/null; then
    echo "skipped: $tool is not installed" >&2
    exit 77
  fi
done

folder=$(mktemp -d)
export XDG_DATA_HOME=$folder XDG_STATE_HOME=$folder XDG_CACHE_HOME=$folder XDG_CONFIG_HOME=$folder
server=
program=
finish() {
  [ -z "$program" ] || kill "$program" 2>/dev/null || true
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT

# wait_for SECONDS COMMAND...: true as soon as the command succeeds.
wait_for() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      return 1
    fi
    sleep 0.2
  done
}
fail() {
  echo "failed: $*" >&2
  cat "$folder/lathe.log" >&2
  exit 1
}

Xvfb -displayfd 3 -screen 0 1600x900x24 -noreset 3>"$folder/display" 2>/dev/null &
server=$!
wait_for 20 test -s "$folder/display" || fail "Xvfb did not start"
DISPLAY=:$(cat "$folder/display")
export DISPLAY

"$lathe" >"$folder/lathe.log" 2>&1 &
program=$!
# Only a window that is mapped takes the focus.
wait_for 30 xdotool search --onlyvisible --name '^Lathe$' || fail "no window came up"
window=$(xdotool search --onlyvisible --name '^Lathe$' | head -1)
wait_for 10 xdotool windowfocus "$window" || fail "the window does not take the focus"
sleep 1

# The button at the left of the bar: "Run the sample".
xdotool mousemove 75 43 sleep 0.3 click 1
points() {
  local count
  count=$("$lathe" query "SELECT count(*) FROM samples WHERE metric = 'train/loss'" --json |
    tr -dc '0-9')
  [ "${count:-0}" -ge 3 ]
}
wait_for 120 points || fail "no points in the store after the click"
echo "points arrived"

# The second button while something runs: "Stop".
xdotool mousemove 130 43 sleep 0.3 click 1
idle() { [ -z "$("$lathe" ls runs --json | grep -o '"state": *"running"')" ]; }
wait_for 60 idle || fail "the sweep did not stop"
xdotool windowfocus "$window" sleep 0.3 key ctrl+q
gone() { ! kill -0 "$program"; }
wait_for 30 gone || fail "the window did not close"
wait "$program" || fail "lathe ended with $?"
program=
echo "started, clicked, recorded, stopped and closed"
