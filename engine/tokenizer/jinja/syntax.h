// A chat template after parsing: expressions and statements in two flat lists that name each other
// by number, so that no depth of nesting can exhaust the stack when they are freed.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine/tokenizer/jinja/value.h"

namespace lathe::jinja {

using ExprId = std::size_t;
constexpr ExprId kNoExpr = static_cast<ExprId>(-1);  // an operand that is left out

enum class ExprKind {
  kLiteral,
  kName,
  kList,
  kAttribute,  // operand 0, then `.name`
  kIndex,      // operands: what is indexed, the key
  kSlice,      // operands: what is cut, first, end, step
  kCall,       // operands: what is called, the arguments
  kFilter,     // operands: the input, the arguments
  kTest,       // as kFilter
  kNot,
  kNegate,
  kAnd,
  kOr,
  kArithmetic,  // name: the operator
  kConcat,
  kCompare,  // labels: the operators between the operands
  kChoice    // operands: condition, value where it holds, value where it does not
};

struct Expr {
  ExprKind kind = ExprKind::kLiteral;
  int line = 1;
  std::string name{};  // variable, attribute, filter, test or operator
  std::vector<ExprId> operands{};
  std::vector<std::string> labels{};  // the last operands are keyword arguments of these names
  Value literal{};
  bool is_tuple = false;
  int nesting = 1;
};

using Block = std::vector<std::size_t>;  // of statements

enum class StatementKind { kText, kPrint, kIf, kFor, kSet };

struct Statement {
  StatementKind kind = StatementKind::kText;
  int line = 1;
  std::string text{};                // kText
  std::vector<std::string> names{};  // kFor: its variables; kSet: a variable, or namespace and key
  std::vector<ExprId> exprs{};       // kIf: one per branch; kFor: the sequence, its condition
  std::vector<Block> blocks{};       // kIf: one per branch; kFor: the body, the else part
};

struct Program {
  std::vector<Expr> exprs;
  std::vector<Statement> statements;
  Block main;
};

}  // namespace lathe::jinja
