// The sets of multiple choice: from their own schemas to the prompts of lm-evaluation-harness
// (tasks piqa, hellaswag, winogrande, arc_easy, arc_challenge, boolq; zero-shot).
#pragma once

#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/eval/choice_item.h"

namespace lathe {

// PIQA: {goal, sol1, sol2}, with the label in the row or in a second file of one 0 or 1 a line;
// `labels` names that file, empty: NAME-labels.lst beside NAME.jsonl.
Result<std::vector<ChoiceItem>> read_piqa(const std::string& path, const std::string& labels);

// HellaSwag: {activity_label, ctx_a, ctx_b, endings, label}, or {ctx, endings, label} with the
// activity already in ctx.
Result<std::vector<ChoiceItem>> read_hellaswag(const std::string& path);

// WinoGrande: {sentence with one "_", option1, option2, answer "1" or "2"}. Partial scoring: the
// options stand in the context, what follows the blank is scored.
Result<std::vector<ChoiceItem>> read_winogrande(const std::string& path);

// ARC: {question: {stem, choices: [{text, label}]}, answerKey}, or {question, choices: {text: [],
// label: []}, answerKey}, or {query, choices: [], gold}.
Result<std::vector<ChoiceItem>> read_arc(const std::string& path);

// BoolQ: {passage, question, answer: true or false}, or with label 1 or 0.
Result<std::vector<ChoiceItem>> read_boolq(const std::string& path);

}  // namespace lathe
