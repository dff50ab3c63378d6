// See expressions.h.
#include "engine/tokenizer/jinja/expressions.h"

#include <algorithm>

namespace lathe::jinja {
namespace {

constexpr std::string_view kReserved[] = {"and",   "elif", "else", "for",   "if",
                                          "in",    "is",   "not",  "or",    "true",
                                          "false", "none", "True", "False", "None"};

bool is_reserved(std::string_view name) {
  return std::find(std::begin(kReserved), std::end(kReserved), name) != std::end(kReserved);
}

}  // namespace

Token TokenReader::take() {
  Token token = peek();
  at_ = std::min(at_ + 1, tokens_.size() - 1);
  return token;
}

bool TokenReader::is_operator(std::string_view name) const {
  return is(TokenKind::kOperator) && peek().text == name;
}

bool TokenReader::is_name(std::string_view name) const {
  return is(TokenKind::kName) && peek().text == name;
}

bool TokenReader::skip_operator(std::string_view name) {
  const bool found = is_operator(name);
  if (found) {
    take();
  }
  return found;
}

bool TokenReader::skip_name(std::string_view name) {
  const bool found = is_name(name);
  if (found) {
    take();
  }
  return found;
}

void TokenReader::expect(TokenKind kind, std::string_view what) {
  if (is(kind)) {
    take();
  } else {
    fail_expected(what);
  }
}

void TokenReader::expect_operator(std::string_view name) {
  if (!skip_operator(name)) {
    fail_expected(quoted(name));
  }
}

void TokenReader::expect_name(std::string_view name) {
  if (!skip_name(name)) {
    fail_expected(quoted(name));
  }
}

std::string TokenReader::expect_variable() {
  if (!is(TokenKind::kName) || is_reserved(peek().text)) {
    fail_expected("a name");
    return "";
  }
  return take().text;
}

void TokenReader::fail(int line, const std::string& what) {
  if (!error_) {
    error_ = template_error(line, what);
  }
  at_ = tokens_.size() - 1;
}

void TokenReader::fail_expected(std::string_view what) {
  const Token& found = peek();
  const bool named = found.kind == TokenKind::kName || found.kind == TokenKind::kOperator ||
                     found.kind == TokenKind::kInteger;
  const std::string name = found.kind == TokenKind::kString ? "a string"
                           : found.kind == TokenKind::kText ? "text"
                           : named                          ? quoted(found.text)
                                                            : found.text;
  fail(found.line, std::string(what) + " is expected, not " + name);
}

ExprId ExpressionParser::add(Expr expr) {
  if (tokens_.error()) {  // then operands may be missing
    return 0;
  }
  for (const ExprId operand : expr.operands) {
    if (operand != kNoExpr) {
      expr.nesting = std::max(expr.nesting, 1 + exprs_[operand].nesting);
    }
  }
  if (expr.nesting > kMaxNesting) {
    tokens_.fail(expr.line, "an expression is nested more than " + std::to_string(kMaxNesting) +
                                " deep, the most allowed");
    return 0;
  }
  exprs_.push_back(std::move(expr));
  return exprs_.size() - 1;
}

ExprId ExpressionParser::add_pair(ExprKind kind, int line, ExprId left, ExprId right,
                                  std::string name) {
  return add({.kind = kind, .line = line, .name = std::move(name), .operands = {left, right}});
}

ExprId ExpressionParser::parse() {
  const int line = tokens_.peek().line;
  if (++nesting_ > kMaxNesting) {
    tokens_.fail(line, "an expression is nested more than " + std::to_string(kMaxNesting) +
                           " deep, the most allowed");
  }
  ExprId value = parse_or();
  while (tokens_.skip_name("if")) {
    const ExprId condition = parse_or();
    const ExprId other = tokens_.skip_name("else") ? parse() : kNoExpr;
    value = add({.kind = ExprKind::kChoice, .line = line, .operands = {condition, value, other}});
  }
  --nesting_;
  return value;
}

ExprId ExpressionParser::parse_or() {
  ExprId left = parse_and();
  while (tokens_.is_name("or")) {
    const int line = tokens_.take().line;
    left = add_pair(ExprKind::kOr, line, left, parse_and());
  }
  return left;
}

ExprId ExpressionParser::parse_and() {
  ExprId left = parse_not();
  while (tokens_.is_name("and")) {
    const int line = tokens_.take().line;
    left = add_pair(ExprKind::kAnd, line, left, parse_not());
  }
  return left;
}

// Counts the words instead of descending for each.
ExprId ExpressionParser::parse_not() {
  const int line = tokens_.peek().line;
  int count = 0;
  while (tokens_.is_name("not")) {
    tokens_.take();
    ++count;
  }
  ExprId value = parse_compare();
  for (int i = 0; i < count; ++i) {
    value = add({.kind = ExprKind::kNot, .line = line, .operands = {value}});
  }
  return value;
}

// The comparison that stands here, taken; empty where none does.
std::string ExpressionParser::comparison() {
  constexpr std::string_view kOperators[] = {"==", "!=", "<", "<=", ">", ">="};
  const Token& token = tokens_.peek();
  const bool is_operator =
      token.kind == TokenKind::kOperator &&
      std::find(std::begin(kOperators), std::end(kOperators), token.text) != std::end(kOperators);
  if (is_operator || tokens_.is_name("in")) {
    return tokens_.take().text;
  }
  const Token& next = tokens_.peek_next();
  if (tokens_.is_name("not") && next.kind == TokenKind::kName && next.text == "in") {
    tokens_.take();
    tokens_.take();
    return "not in";
  }
  return "";
}

ExprId ExpressionParser::parse_compare() {
  Expr expr{.kind = ExprKind::kCompare, .line = tokens_.peek().line};
  expr.operands.push_back(parse_sum());
  for (std::string found = comparison(); !found.empty(); found = comparison()) {
    expr.labels.push_back(std::move(found));
    expr.operands.push_back(parse_sum());
  }
  return expr.labels.empty() ? expr.operands[0] : add(std::move(expr));
}

ExprId ExpressionParser::parse_sum() {
  ExprId left = parse_concat();
  while (tokens_.is_operator("+") || tokens_.is_operator("-")) {
    Token found = tokens_.take();
    left = add_pair(ExprKind::kArithmetic, found.line, left, parse_concat(), std::move(found.text));
  }
  return left;
}

ExprId ExpressionParser::parse_concat() {
  Expr expr{.kind = ExprKind::kConcat, .line = tokens_.peek().line};
  expr.operands.push_back(parse_remainder());
  while (tokens_.skip_operator("~")) {
    expr.operands.push_back(parse_remainder());
  }
  return expr.operands.size() == 1 ? expr.operands[0] : add(std::move(expr));
}

ExprId ExpressionParser::parse_remainder() {
  ExprId left = parse_unary(true);
  for (;;) {
    const Token& token = tokens_.peek();
    if (tokens_.is_operator("*") || tokens_.is_operator("/") || tokens_.is_operator("//") ||
        tokens_.is_operator("**")) {
      tokens_.fail(token.line, "the operator " + quoted(token.text) + " is not known here");
    }
    if (!tokens_.is_operator("%")) {
      return left;
    }
    const int line = tokens_.take().line;
    left = add_pair(ExprKind::kArithmetic, line, left, parse_unary(true), "%");
  }
}

ExprId ExpressionParser::parse_unary(bool with_filters) {
  const Token token = tokens_.peek();
  ExprId value = 0;
  if (tokens_.is_operator("+")) {
    tokens_.fail(token.line, "the sign '+' is not known here");
  } else if (tokens_.skip_operator("-")) {
    if (++nesting_ > kMaxNesting) {
      tokens_.fail(token.line, "too many signs in a row");
    }
    const ExprId operand = parse_unary(false);
    --nesting_;
    value = add({.kind = ExprKind::kNegate, .line = token.line, .operands = {operand}});
  } else {
    value = parse_primary();
  }
  value = parse_postfix(value);
  return with_filters ? parse_filters(value) : value;
}

}  // namespace lathe::jinja
