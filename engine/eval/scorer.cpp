// Batches of similar length, right-padded: rows behind a sequence's end cannot change those before.
#include "engine/eval/scorer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/backend/sums.h"

namespace lathe {
namespace {

// Logits held at once. More than training holds, as there is room for them: the head's weights are
// read once for each such piece, which was 6 % of the time with a quarter of this.
constexpr std::int64_t kLogitBytes = std::int64_t{64} << 20;

// Tokens of a batch, padding included: enough to keep the matrix products busy.
constexpr std::int64_t kBatchTokens = 1024;

std::int64_t scored_tokens(const ScoreRequest& request) {
  return static_cast<std::int64_t>(request.ids.size()) - request.first_scored;
}

Result<void> check_request(const ScoreRequest& request, const EvalModel& model) {
  if (request.first_scored < 1 || scored_tokens(request) < 1) {
    return Error{ErrorKind::kData,
                 request.place + " has " + std::to_string(scored_tokens(request)) +
                     " tokens to score after " + std::to_string(request.first_scored) +
                     " of context: each needs at least one",
                 "remove it from the file"};
  }
  if (scored_tokens(request) > model.context) {
    return Error{ErrorKind::kData,
                 request.place + " has " + std::to_string(scored_tokens(request)) +
                     " tokens to score, and the model sees " + std::to_string(model.context),
                 "remove it from the file, or take a model of longer context"};
  }
  for (const std::int32_t id : request.ids) {
    if (id < 0 || id >= model.vocab_size) {
      return Error{ErrorKind::kData,
                   request.place + " has token id " + std::to_string(id) +
                       "; the model's embedding has rows 0 to " +
                       std::to_string(model.vocab_size - 1),
                   "the tokenizer is of another model: check the model's folder"};
    }
  }
  return {};
}

using Input = std::span<const std::int32_t>;

// What the model reads of a request: all but the last token, cut to the context.
Input input_of(const ScoreRequest& request, std::int64_t context) {
  const Input all(request.ids.data(), request.ids.size() - 1);
  return all.last(std::min(all.size(), static_cast<std::size_t>(context)));
}

bool begins_with(Input whole, Input part) {
  return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

// One row of a batch, and the requests that it answers: those whose input is a beginning of its
// own, as the answers "yes" and "no" to one question are.
struct Line {
  Input input;
  std::vector<std::size_t> members;
};

std::vector<Line> make_lines(std::span<const ScoreRequest> requests, std::int64_t context) {
  std::vector<std::size_t> order(requests.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto input = [&](std::size_t i) { return input_of(requests[i], context); };
  // In descending order an input comes right behind those that it begins.
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const Input left = input(a);
    const Input right = input(b);
    return std::lexicographical_compare(right.begin(), right.end(), left.begin(), left.end());
  });
  std::vector<Line> lines;
  for (const std::size_t i : order) {
    if (lines.empty() || !begins_with(lines.back().input, input(i))) {
      lines.push_back({.input = input(i), .members = {}});
    }
    lines.back().members.push_back(i);
  }
  // Longest first: if memory does not suffice, that shows at once.
  std::stable_sort(lines.begin(), lines.end(),
                   [](const Line& a, const Line& b) { return a.input.size() > b.input.size(); });
  return lines;
}

// One forward pass: host copies of what goes in and comes out.
struct Batch {
  BatchShape shape;
  std::vector<std::int32_t> ids, rows, targets;
  std::vector<float> losses;
  std::vector<std::int32_t> argmax;
};

Batch make_batch(std::span<const ScoreRequest> requests, std::span<const Line> lines,
                 std::int64_t context) {
  Batch batch;
  batch.shape.batch = static_cast<std::int64_t>(lines.size());
  batch.shape.seq_len = static_cast<std::int64_t>(lines.front().input.size());
  batch.ids.assign(static_cast<std::size_t>(batch.shape.tokens()), 0);
  for (std::size_t b = 0; b < lines.size(); ++b) {
    const auto first_row = static_cast<std::int64_t>(b) * batch.shape.seq_len;
    std::copy(lines[b].input.begin(), lines[b].input.end(), batch.ids.begin() + first_row);
    for (const std::size_t member : lines[b].members) {
      const ScoreRequest& request = requests[member];
      const std::int64_t scored = scored_tokens(request);
      const auto length = static_cast<std::int64_t>(input_of(request, context).size());
      for (std::int64_t i = 0; i < scored; ++i) {
        batch.rows.push_back(static_cast<std::int32_t>(first_row + length - scored + i));
      }
      batch.targets.insert(batch.targets.end(), request.ids.begin() + request.first_scored,
                           request.ids.end());
    }
  }
  return batch;
}

Tensor upload(Backend& backend, const std::string& name, const std::vector<std::int32_t>& values) {
  Tensor tensor = workspace(backend, "evaluation", name,
                            Shape{static_cast<std::int64_t>(values.size())}, DType::kI32);
  backend.write(tensor, values.data(), tensor.ref().bytes());
  return tensor;
}

void run_batch(const EvalModel& model, Batch& batch) {
  Backend& backend = *model.backend;
  const auto scored = static_cast<std::int64_t>(batch.rows.size());
  const Tensor ids = upload(backend, "ids", batch.ids);
  const Tensor rows = upload(backend, "rows", batch.rows);
  const Tensor targets = upload(backend, "targets", batch.targets);
  const Tensor losses = workspace(backend, "evaluation", "losses", Shape{scored});
  const Tensor argmax = workspace(backend, "evaluation", "argmax", Shape{scored}, DType::kI32);
  const Tensor sums = make_sums(backend, "evaluation", "sums");
  const std::int64_t logit_chunk = std::max<std::int64_t>(1, kLogitBytes / (4 * model.vocab_size));
  model.transformer->evaluate(ids, targets, batch.shape, logit_chunk, sums,
                              {.rows = rows, .losses = losses, .argmax = argmax});
  batch.losses.resize(batch.rows.size());
  batch.argmax.resize(batch.rows.size());
  backend.read(losses, batch.losses.data(), losses.ref().bytes());
  backend.read(argmax, batch.argmax.data(), argmax.ref().bytes());
}

// Scores of the members of one line, whose rows begin at `row` and which are passed by.
Result<void> collect(const Batch& batch, std::span<const ScoreRequest> requests, const Line& line,
                     std::size_t& row, std::vector<SequenceScore>& scores) {
  for (const std::size_t member : line.members) {
    SequenceScore score{
        .log_likelihood = 0, .tokens = scored_tokens(requests[member]), .greedy = true};
    for (std::int64_t i = 0; i < score.tokens; ++i, ++row) {
      if (!std::isfinite(batch.losses[row])) {
        return Error{ErrorKind::kDiverged,
                     requests[member].place + ": the logits before token " +
                         std::to_string(requests[member].first_scored + i) + " are not finite",
                     "the model is damaged or overflows; nothing was left out to hide it"};
      }
      score.log_likelihood -= static_cast<double>(batch.losses[row]);
      score.greedy = score.greedy && batch.argmax[row] == batch.targets[row];
    }
    scores[member] = score;
  }
  return {};
}

}  // namespace

Result<std::vector<SequenceScore>> score_sequences(const EvalModel& model,
                                                   std::span<const ScoreRequest> requests,
                                                   const EvalProgress& progress) {
  for (const ScoreRequest& request : requests) {
    if (auto checked = check_request(request, model); !checked) {
      return checked.error();
    }
  }
  const std::vector<Line> lines = make_lines(requests, model.context);
  std::vector<SequenceScore> scores(requests.size());
  std::int64_t done = 0;
  for (std::size_t first = 0; first < lines.size();) {
    const auto length = static_cast<std::int64_t>(lines[first].input.size());
    const auto wanted = static_cast<std::size_t>(std::max<std::int64_t>(kBatchTokens / length, 1));
    const auto members = std::span(lines).subspan(first, std::min(wanted, lines.size() - first));
    Batch batch = make_batch(requests, members, model.context);
    run_batch(model, batch);
    std::size_t row = 0;
    for (const Line& line : members) {
      if (auto collected = collect(batch, requests, line, row, scores); !collected) {
        return collected.error();
      }
      done += static_cast<std::int64_t>(line.members.size());
    }
    first += members.size();
    if (progress && !progress(done, static_cast<std::int64_t>(requests.size()))) {
      return Error{ErrorKind::kInterrupted, "the evaluation was stopped", ""};
    }
  }
  return scores;
}

}  // namespace lathe
