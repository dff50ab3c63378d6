// See logit_file.h.
#include "engine/eval/logit_file.h"

#include <algorithm>
#include <cmath>

#include "engine/data/row_file.h"
#include "engine/io/safetensors.h"

namespace lathe {
namespace {

// Rows of logits on the back end at once, of every position and of the last.
constexpr std::int64_t kChunk = 128;
constexpr std::int64_t kMostBytes = std::int64_t{4} << 30;

struct Sequence {
  std::vector<std::int32_t> ids;
  std::string place;
};

Result<std::vector<std::int32_t>> chat_ids(const DataRow& row, const EvalModel& model) {
  const Json& list = row.value["messages"];
  if (!model.encode_chat || !list.is_array()) {
    return row_error(row, list.is_array() ? "has messages, but the model no chat template"
                                          : "has messages that are no list");
  }
  std::vector<ChatMessage> messages;
  for (const Json& one : list) {
    const DataRow message{one, row.place};
    const auto role = one.is_object() ? text_field(message, "role")
                                      : row_error(row, "has a message that is no object");
    const auto content = role ? text_field(message, "content") : role;
    if (!content) {
      return content.error();
    }
    messages.push_back({*role, *content});
  }
  return model.encode_chat(messages);
}

Result<std::vector<std::int32_t>> ids_of(const DataRow& row, const EvalModel& model) {
  if (row.value.contains("messages")) {
    return chat_ids(row, model);
  }
  std::vector<std::int32_t> ids;
  if (row.value.contains("text") && model.encode) {
    const auto text = text_field(row, "text");
    if (!text) {
      return text.error();
    }
    return model.encode(*text, true);
  }
  const auto found = row.value.find("ids");
  if (found == row.value.end() || !found->is_array()) {
    return row_error(row, row.value.contains("text")
                              ? "has text, but the model no tokenizer"
                              : "has none of \"ids\", \"text\", \"messages\"");
  }
  for (const Json& id : *found) {
    if (!id.is_number_integer() || id.get<std::int64_t>() < 0 ||
        id.get<std::int64_t>() >= model.vocab_size) {
      return row_error(row, "has the id " + id.dump().substr(0, 40) + ", not one from 0 to " +
                                std::to_string(model.vocab_size - 1));
    }
    ids.push_back(id.get<std::int32_t>());
  }
  return ids;
}

Result<std::vector<Sequence>> read_sequences(const EvalModel& model, const LogitRequest& request) {
  const auto rows = read_rows(request.data);
  if (!rows) {
    return rows.error();
  }
  std::vector<Sequence> sequences;
  for (const DataRow& row : *rows) {
    auto ids = ids_of(row, model);
    if (!ids) {
      return ids.error();
    }
    const auto length = static_cast<std::int64_t>(ids->size());
    if (length == 0 || length > model.context) {
      return row_error(row, "has " + std::to_string(length) + " tokens; 1 to " +
                                std::to_string(model.context) + " fit the model");
    }
    const std::int64_t kept = request.last_only ? 1 : length;
    if (kept * model.vocab_size * std::int64_t{sizeof(float)} > kMostBytes) {
      return row_error(row, "gives more than 4 GiB of logits; make it shorter");
    }
    sequences.push_back({std::move(*ids), row.place});
  }
  return sequences;
}

// [T, V], or [1, V] of the last position.
std::vector<float> logits_of(const EvalModel& model, const Sequence& sequence, bool last_only) {
  Backend& backend = *model.backend;
  const auto count = static_cast<std::int64_t>(sequence.ids.size());
  const std::int64_t vocab = model.vocab_size;
  KvCache cache(backend, model.config, count);
  std::vector<float> all;
  for (std::int64_t begin = 0; begin < count; begin += kChunk) {
    const std::int64_t length = std::min(kChunk, count - begin);
    const Tensor ids = workspace(backend, "logits", "ids", Shape{length}, DType::kI32);
    backend.write(ids, sequence.ids.data() + begin, ids.ref().bytes());
    const std::int64_t rows = last_only ? 1 : length;
    const Tensor out = workspace(backend, "logits", "logits", Shape{rows, vocab});
    model.transformer->infer(ids, cache, out);
    const std::size_t before = last_only ? 0 : all.size();
    all.resize(before + static_cast<std::size_t>(rows * vocab));
    backend.read(out, all.data() + before, out.ref().bytes());
  }
  return all;
}

Result<void> write_sequence(const EvalModel& model, const Sequence& sequence, bool last_only,
                            SafetensorsWriter& writer, LogitReport& report) {
  const std::vector<float> logits = logits_of(model, sequence, last_only);
  if (!std::all_of(logits.begin(), logits.end(),
                   [](float value) { return std::isfinite(value); })) {
    return Error{ErrorKind::kDiverged, sequence.place + ": a logit is not finite",
                 "the model is damaged or its weights overflow"};
  }
  const std::size_t bytes = logits.size() * sizeof(float);
  ++report.sequences;
  report.tokens += static_cast<std::int64_t>(sequence.ids.size());
  report.bytes += static_cast<std::int64_t>(bytes);
  const Result<void> written =
      writer.write(sequence.ids.data(), sequence.ids.size() * sizeof(std::int32_t));
  return written ? writer.write(logits.data(), bytes) : written;
}

}  // namespace

Result<LogitReport> write_logits(const EvalModel& model, const LogitRequest& request,
                                 const EvalProgress& progress) {
  const auto sequences = read_sequences(model, request);
  if (!sequences) {
    return sequences.error();
  }
  SafetensorsWriter writer;
  for (std::size_t i = 0; i < sequences->size(); ++i) {
    const auto length = static_cast<std::int64_t>((*sequences)[i].ids.size());
    writer.declare("ids." + std::to_string(i), DType::kI32, {length});
    writer.declare("logits." + std::to_string(i), DType::kF32,
                   {request.last_only ? 1 : length, model.vocab_size});
  }
  if (const Result<void> opened = writer.open(request.out); !opened) {
    return opened.error();
  }
  LogitReport report;
  const auto total = static_cast<std::int64_t>(sequences->size());
  for (const Sequence& sequence : *sequences) {
    if (progress && !progress(report.sequences, total)) {
      return Error{ErrorKind::kInterrupted, "stopped", ""};
    }
    const Result<void> written = write_sequence(model, sequence, request.last_only, writer, report);
    if (!written) {
      return written.error();
    }
  }
  const Result<void> done = writer.commit();
  return done ? Result<LogitReport>(report) : done.error();
}

}  // namespace lathe
